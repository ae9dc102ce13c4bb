//! Whether anything acknowledged is ever lost: a server under load is ended in the worst ways, and what is left is compared
//! with what was promised.
//!
//! | file | answers |
//! |---|---|
//! | `ledger` | what has been promised for an account, and what may be there after a crash? |
//! | `load` | which requests are made, and what do their answers promise? |
//! | `rounds` | how is a server ended, again and again? |
//! | `power` | how is a power cut made, in which only what was synced survives? |
//! | `inspect` | what is on disk, read by the library in the server's place? |
//! | `figures`, `report` | what came of it? |

mod figures;
mod inspect;
mod ledger;
mod load;
mod power;
mod report;
mod rounds;

pub use figures::Figures;
pub use power::{PowerCut, Survivors};
pub use report::{Report, Survival};
pub use rounds::{Ending, Loop};
