//! Every hostile component, by what it tries.
//!
//! | file | what it tries |
//! |---|---|
//! | `endless` | to take all time |
//! | `hoard` | to take all memory, and what it was not given |
//! | `compile` | to be more to compile than anybody has time for |
//! | `shape` | to be no plugin, or one of another kind |
//! | `host_calls` | to have the host read, write or do what it must not |
//! | `descriptions` | to describe itself in a way that harms whoever reads it |
//! | `verdicts` | to judge a credential in a way that harms whoever reads it |

mod compile;
mod descriptions;
mod endless;
mod hoard;
mod host_calls;
mod shape;
mod verdicts;

use super::Hostile;

/// All of them, by family.
pub fn families() -> Vec<(&'static str, Vec<Hostile>)> {
    vec![
        ("endless code", endless::all()),
        ("hoards", hoard::all()),
        ("compile bombs", compile::all()),
        ("no plugins", shape::all()),
        ("host calls", host_calls::all()),
        ("descriptions", descriptions::all()),
        ("verdicts", verdicts::all()),
    ]
}

/// All of them.
pub fn corpus() -> Vec<Hostile> {
    families().into_iter().flat_map(|(_, hostiles)| hostiles).collect()
}
