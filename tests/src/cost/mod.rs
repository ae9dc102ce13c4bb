//! What a request costs, in figures that a busy machine does not change: instructions, system calls, bytes written.
//!
//! | file | answers |
//! |---|---|
//! | `callgrind` | how are a server's instructions counted while it serves? |
//! | `profile` | what did callgrind count, function by function? |
//! | `strace` | how are a server's system calls written down while it serves? |
//! | `system_calls` | what did strace record, call by call? |
//! | `wrapper` | how is a server started under either? |
//! | `migrations` | which requests are counted? |

mod callgrind;
mod migrations;
mod profile;
mod strace;
mod system_calls;
mod wrapper;

pub use callgrind::Callgrind;
pub use migrations::Migrations;
pub use profile::{Entered, Profile};
pub use strace::{Mark, Strace};
pub use system_calls::{Call, SystemCalls};
pub use wrapper::start_under;
