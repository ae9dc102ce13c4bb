//! Rates, memory and start-up times with many plugins, credentials, connections and verifications.
//!
//! | file | answers |
//! |---|---|
//! | `options` | which sizes are measured? |
//! | `plugins` | many loaded plugins |
//! | `credentials` | many stored credentials |
//! | `waiting` | many connections, and many verifications that wait for a provider |
//! | `sections` | the sections of the report |

mod credentials;
mod options;
mod plugins;
mod sections;
mod waiting;

pub(crate) use options::GrowthOptions;
pub(crate) use sections::growth;
