//! `keyferry mock-provider`: mock providers of apps, made of the cases of their plugins.
//!
//! | file | answers |
//! |---|---|
//! | `args` | which flags are there? |
//! | `run` | how are the mock providers set up and run? |
//! | `apps` | which plugins are meant, and where are their files and cases? |
//! | `tokens` | which credentials of the user's do they know? |
//! | `selection` | which credentials are shown and written into the sample? |
//! | `responder` | what is the response to a request, with latency, outages and rate limits? |
//! | `shown` | what is printed? |
//! | `duration` | how is a duration written? |
//! | `problem` | why can nothing be served? |

mod apps;
mod args;
mod duration;
mod problem;
mod responder;
mod run;
mod selection;
mod shown;
mod tokens;

pub(super) use args::MockProviderArgs;
pub(super) use run::run;
