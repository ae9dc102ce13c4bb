//! One call of a plugin with all that surrounds it: a store, an instance, a call in which the guest calls the host once, and
//! all of it dropped again.
//!
//! | file | answers |
//! |---|---|
//! | `guests` | what is called? |
//! | `token` | with what? |
//! | `keyferry` | how does the server call it? |
//! | `wasmtime` | and a host that uses wasmtime as its first example shows, or as fast as it goes? |
//! | `extism` | and a host that uses Extism? |
//! | `calls` | how are calls timed? |
//! | `measure` | in what order, and what comes out? |

mod calls;
mod extism;
mod guests;
mod keyferry;
mod measure;
mod token;
mod wasmtime;

pub(crate) use measure::{Choice, sections};
