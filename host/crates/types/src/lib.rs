//! Values that every part of Keyferry passes on: names, secrets, and times, keys and paths in the spellings in which they arrive.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ids`] | names of organisations, linked accounts, apps and fields, each parsed once |
//! | [`secret`] | values that are not printed, written out or cloned by accident, and are cleared from memory |
//! | [`zeroizing`] | an allocator that clears freed memory, and buffers that are cleared when they are dropped |
//! | [`echo`] | what of a caller's text a message repeats |
//! | [`text`], [`invisible`] | characters that a person cannot see or that steer a terminal |
//! | [`path_text`] | paths in messages |
//! | [`moment`], [`pem`], [`retry_after`] | times, private keys and waits in the spellings in which they arrive |
//! | [`bounded_file`] | reads of the operator's files with a bound on size and time |
//!
//! ```
//! use keyferry_types::ids::Slug;
//!
//! let slug: Slug = "hubspot".parse()?;
//! assert_eq!(slug.as_str(), "hubspot");
//! assert!("Hub Spot".parse::<Slug>().is_err());
//! # Ok::<(), keyferry_types::ids::InvalidName>(())
//! ```

pub mod bounded_file;
pub mod echo;
pub mod ids;
pub mod invisible;
pub mod moment;
pub mod path_text;
pub mod pem;
pub mod retry_after;
pub mod secret;
pub mod text;
pub mod zeroizing;
