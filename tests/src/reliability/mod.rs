//! Whether an acknowledged write is ever lost: a server under load is killed or loses power, and the data on disk is
//! compared with the acknowledged writes.
//!
//! | file | answers |
//! |---|---|
//! | `ledger` | which state is promised for an account, and which states may a crash leave? |
//! | `load` | which requests are sent, and what do their responses promise? |
//! | `hosts` | how are two servers on one database ended, and the database, in repeated rounds? |
//! | `rounds` | how is a server ended in repeated rounds? |
//! | `power` | how is a power cut simulated, in which only synced data survives? |
//! | `inspect` | does the data on disk agree with the ledger? |
//! | `figures`, `report` | what are the results? |

mod figures;
mod hosts;
mod inspect;
mod ledger;
mod load;
mod power;
mod report;
mod rounds;

pub use figures::Figures;
pub use hosts::HostsLoop;
pub use power::{PowerCut, Survivors};
pub use report::{Report, Survival};
pub use rounds::{Ending, Loop};
