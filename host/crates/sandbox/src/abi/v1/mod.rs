//! `wit/v1`.
//!
//! | file | answers |
//! |---|---|
//! | `bindings` | which types does the binding generator make of the contract? |
//! | `description` | what does an app say of itself? |
//! | `linked` | how are its functions called? |
//! | `credential` | how does a plugin receive a credential? |
//! | `host_functions`, `request` | what can a plugin call, and what becomes of its requests? |
//! | `verdict` | what did a plugin find? |
//! | `renewal` | which tokens does a plugin renew, and what was the result? |
//! | `from_json` | how do tests make up a description? |

mod bindings;
mod credential;
mod description;
#[cfg(any(test, feature = "fuzzing"))]
mod from_json;
mod host_functions;
mod linked;
mod renewal;
mod request;
mod verdict;

pub(crate) use credential::credential;
pub(crate) use description::description;
#[cfg(any(test, feature = "fuzzing"))]
pub use from_json::description_of_json;
pub(crate) use host_functions::add_to_linker;
pub(crate) use linked::{Descriptions, LinkedPlugin};
pub(crate) use renewal::{client, renewables, renewed};
pub(crate) use verdict::{unusable, verdict};
