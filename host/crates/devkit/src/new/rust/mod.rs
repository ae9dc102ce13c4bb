//! What a Rust plugin needs beside its template: the SDK, which is on no registry, and the versions it was tested with.
//!
//! | file | answers |
//! |---|---|
//! | `location` | does the folder lie in a workspace, and is the SDK there already? |
//! | `sdk` | what is the SDK outside of its own workspace? |
//! | `lock` | which versions does a plugin build with? |

mod location;
mod lock;
mod sdk;

pub(super) use location::Location;
