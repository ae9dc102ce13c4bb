//! The tools for plugin authors, behind the commands `keyferry plugin ...`.
//!
//! A plugin is developed in five steps, each a function here: its folder is created ([`new_plugin`]), built into a component
//! ([`build()`]), checked for errors and risks ([`check::lint()`]), called with a real credential, which can be recorded as a case
//! ([`call()`], [`cases::record()`]), and tested offline with its cases and the conformance suite ([`cases::Suite`]). All but the
//! first two run the component in the sandbox of a server, with a server's limits.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use keyferry_devkit::cases::{Suite, find, load};
//! use keyferry_devkit::{Source, workbench};
//!
//! let source = Source::open("plugins/stripe".as_ref())?; // a folder is built first
//! let cases = find(&source.cases)?.iter().map(|file| load(file)).collect::<Result<_, _>>()?;
//! let suite = Suite::open(&workbench()?, source.path, source.component, cases).await?;
//! let report = suite.run(&mut |test| println!("{}: {:?}", test.name, test.outcome)).await;
//! let (passed, failed) = report.counts();
//! println!("{passed} passed, {failed} failed");
//! # Ok(())
//! # }
//! ```
//!
//! | module | answers |
//! |---|---|
//! | `build` | how does a plugin's folder become a component in a plugins folder? ([`build()`]) |
//! | `cache_folder` | where are compiled code and built components kept? |
//! | [`cases`] | does a plugin pass its test cases and the conformance suite? |
//! | `cases_folder` | where are the cases of a plugin file? |
//! | `cargo` | which packages does a workspace have, and how are they compiled for WebAssembly? |
//! | [`check`] | what is wrong with a plugin, or will be? |
//! | `component` | how does a core module become a component, and the component a file? |
//! | `inspect` | what does a plugin file contain? ([`inspect()`]) |
//! | `live` | how does a plugin verify with a real provider? ([`call()`]) |
//! | `new` | which folder does a new plugin begin with? ([`new_plugin`]) |
//! | `script` | how are JavaScript and Python plugins built? |
//! | `source` | which component does a person mean by a file or a folder? ([`Source`]) |
//! | `workbench` | in which sandbox are plugins tested? ([`workbench()`]) |
//! | `error` | why can a plugin not be built? |

mod build;
mod cache_folder;
mod cargo;
pub mod cases;
mod cases_folder;
pub mod check;
mod component;
mod error;
mod inspect;
mod live;
mod new;
mod script;
mod source;
mod workbench;

pub use build::{BuildOptions, BuiltPlugin, Selection, build, build_then};
pub use component::Change;
pub use error::BuildError;
pub use inspect::{InspectedAuthType, InspectedField, Inspection, inspect};
pub use live::{Live, LiveError, LiveExchange, LiveOptions, call};
pub use new::{AuthKind, Created, Language, NewError, NewPlugin, new_plugin};
pub use source::{Source, SourceError};
pub use workbench::workbench;
