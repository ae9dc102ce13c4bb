//! Hostile plugins, and the required behaviour of the server for each.
//!
//! | file | answers |
//! |---|---|
//! | `abi` | how is a value laid out in memory, an invalid one too? |
//! | `plugin` | how is a hostile plugin put together? |
//! | `corpus` | which hostile plugins are there? |
//! | `process` | which resources does a process hold? |
//! | `trial` | what does the server do with one that is dropped in? |
//! | `neighbour` | which latency does the caller of a good plugin see? |
//! | `figures` | how are the results reported? |
//! | `peeping` | what does a plugin find that another one left? |
#![allow(
    clippy::indexing_slicing,
    reason = "each is made of a description that is known here; an error fails the test that uses it"
)]

mod abi;
mod corpus;
mod figures;
mod neighbour;
mod peeping;
mod plugin;
mod process;
mod trial;

pub use corpus::{corpus, families};
pub use figures::Figures;
pub use neighbour::{Distance, Latencies, NOT_FAR, Neighbour};
pub use peeping::{Finds, hoarder, peeper, two_faced};
pub use process::Holdings;
pub use trial::{HOSTILE_KEY, Trials, hostile_world, limits};

use plugin::Plugin;

/// A hostile component.
pub struct Hostile {
    /// Its slug and the name of its file.
    pub name: &'static str,
    /// Its attempt, as the end of a sentence that begins with "It tries".
    pub tries: &'static str,
    /// The required behaviour of the server.
    pub expect: Expect,
    build: Box<dyn Fn(Plugin) -> Vec<u8> + Send + Sync>,
}

/// The required behaviour of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It is refused at admission, with a reason that contains this text.
    Refused(&'static str),
    /// It stays in that state, with a reason that contains this text, and does not serve.
    Waits(&'static str, &'static str),
    /// It serves, and each call ends with a problem of this code, whose detail contains this text.
    Fails {
        /// The problem's `code`.
        code: &'static str,
        /// Part of the problem's `detail`.
        detail: &'static str,
    },
    /// It serves, and its calls get responses like those of any other plugin.
    Answers {
        /// The response's status.
        status: u16,
        /// Part of the response's body.
        contains: &'static str,
    },
}

impl Hostile {
    /// Builds the bytes of the component.
    pub fn component(&self) -> Vec<u8> {
        (self.build)(Plugin::new(self.name))
    }
}

fn hostile(
    name: &'static str,
    tries: &'static str,
    expect: Expect,
    build: impl Fn(Plugin) -> Vec<u8> + Send + Sync + 'static,
) -> Hostile {
    Hostile { name, tries, expect, build: Box::new(build) }
}
