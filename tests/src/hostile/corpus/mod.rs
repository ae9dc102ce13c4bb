//! Every hostile component, by what it tries.
//!
//! | file | what it tries |
//! |---|---|
//! | `endless` | to take all time |
//! | `hoard` | to take all memory, and resources that it was not given |
//! | `compile` | to take more compile time than the host allows |
//! | `shape` | to be loaded though it is not a plugin, or is one of another kind |
//! | `host_calls` | to have the host read, write or do what it must not |
//! | `traps` | to trap in the call, around it, or at its start |
//! | `descriptions` | to harm the reader of its description |
//! | `verdicts` | to harm the reader of its verdict |

mod compile;
mod descriptions;
mod endless;
mod hoard;
mod host_calls;
mod shape;
mod traps;
mod verdicts;

use super::{Expect, Hostile, hostile};

/// All of them, by family.
pub fn families() -> Vec<(&'static str, Vec<Hostile>)> {
    vec![
        ("endless code", endless::all()),
        ("hoards", hoard::all()),
        ("compile bombs", compile::all()),
        ("no plugins", shape::all()),
        ("host calls", host_calls::all().into_iter().chain(traps::all()).collect()),
        ("descriptions", descriptions::all()),
        ("verdicts", verdicts::all()),
    ]
}

/// All of them.
pub fn corpus() -> Vec<Hostile> {
    families().into_iter().flat_map(|(_, hostiles)| hostiles).collect()
}

const fn fails(detail: &'static str) -> Expect {
    Expect::Fails { code: "plugin_failed", detail }
}

/// A plugin that makes one call, in WebAssembly text, before it returns a good verdict.
fn once(name: &'static str, tries: &'static str, expect: Expect, call: &'static str) -> Hostile {
    hostile(name, tries, expect, move |mut plugin| {
        plugin.verify = format!("{call} (global.get $VERDICT)");
        plugin.build()
    })
}
