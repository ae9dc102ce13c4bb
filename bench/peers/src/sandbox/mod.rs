//! One call of a plugin with its setup: a store, an instance, a call in which the guest calls the host once, and
//! their removal.
//!
//! | file | answers |
//! |---|---|
//! | `guests` | which guests are called? |
//! | `token` | with which credential? |
//! | `keyferry` | how does the server call them? |
//! | `wasmtime` | how does a host that uses wasmtime as in its first example, or as fast as possible? |
//! | `extism` | how does a host that uses Extism? |
//! | `calls` | how are calls timed? |
//! | `measure` | in which order are they measured, and how are the figures reported? |

mod calls;
mod extism;
mod guests;
mod keyferry;
mod measure;
mod token;
mod wasmtime;

pub(crate) use measure::{Choice, sections};
