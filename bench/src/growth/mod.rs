//! Rates, memory and start-up times with many plugins, credentials, connections and verifications.
//!
//! | file | answers |
//! |---|---|
//! | `options` | which sizes are measured? |
//! | `plugins` | many loaded plugins |
//! | `credentials` | many stored credentials |
//! | `fill` | how are they put into the store? |
//! | `waiting` | many connections, and many verifications that wait for a provider |
//! | `sections` | the sections of the report |

mod credentials;
mod fill;
mod options;
mod plugins;
mod sections;
mod waiting;

pub(crate) use fill::run as fill;
pub(crate) use options::GrowthOptions;
pub(crate) use sections::growth;
