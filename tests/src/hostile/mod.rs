//! Plugins that mean harm, and what has to become of each.
//!
//! | file | answers |
//! |---|---|
//! | `abi` | how does a value lie in memory, a wrong one too? |
//! | `plugin` | how is a hostile plugin put together? |
//! | `corpus` | which are there? |
//! | `process` | what does a process hold on to? |
//! | `trial` | what becomes of one that is dropped into a running server? |
//! | `neighbour` | what does a good plugin's caller notice of it? |
//! | `figures` | how is that told? |
//! | `peeping` | what does a plugin find that another one left? |
#![allow(
    clippy::indexing_slicing,
    reason = "each is made of a description that is known here; a slip fails the test that uses it"
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

/// A component that means harm.
pub struct Hostile {
    /// Its slug and the name of its file.
    pub name: &'static str,
    /// What it tries, as the end of a sentence that begins with "It tries".
    pub tries: &'static str,
    /// What has to become of it.
    pub expect: Expect,
    build: Box<dyn Fn(Plugin) -> Vec<u8> + Send + Sync>,
}

/// What has to become of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It is refused at admission, for a reason that has this in it.
    Refused(&'static str),
    /// It is kept in that state, for a reason that has this in it, and does not serve.
    Waits(&'static str, &'static str),
    /// It serves, and each call ends with a problem of that code, whose detail has this in it.
    Fails {
        /// The problem's `code`.
        code: &'static str,
        /// In the problem's `detail`.
        detail: &'static str,
    },
    /// It serves, and its calls are answered like anybody's.
    Answers {
        /// The answer's status.
        status: u16,
        /// In the answer's body.
        contains: &'static str,
    },
}

impl Hostile {
    /// Its bytes, made now.
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
