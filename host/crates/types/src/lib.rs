//! Types that every crate of Keyferry uses: names, secrets, times, private keys and paths, each parsed once.
//!
//! | module | answers |
//! |---|---|
//! | [`ids`] | which text is a name of an organisation, linked account, app, auth type or field? |
//! | [`secret`] | how is a value kept out of logs, copies and freed memory? |
//! | [`zeroizing`] | how are freed memory and dropped buffers cleared? |
//! | [`echo`] | which parts of a caller's text may a message repeat? |
//! | [`text`], [`invisible`] | which characters are invisible or control a terminal? |
//! | [`path_text`] | how is a path shown in a message? |
//! | [`moment`], [`retry_after`] | which spellings of times and waits are read? |
//! | [`serde_text`] | how is a value read that is written as text? |
//! | [`pem`] | which spellings of private keys are read? |
//! | [`bounded_file`] | how is an operator's file read within a bound of size and time? |
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
pub mod serde_text;
pub mod text;
pub mod zeroizing;
