//! All settings, as flags of `serve`. A flag's environment variable and its help are declared with it.
//!
//! | file | flags |
//! |---|---|
//! | `serve` | those of the server itself, and all others flattened into one list |
//! | `folders`, `operator` | `--config`, `--data`, `--plugins`, `--lock`: also flags of the operator's commands, which show fewer of them |
//! | `key` | `--key-...`: the key-encryption key |
//! | `admin` | `--admin-...`: the admin API over TCP |
//! | `listen_address` | none: it parses addresses of listeners, `whole_number` numbers |
//! | `telemetry` | `--metrics-listen`, `--otlp-...`: metrics and traces |
//! | `tables` | `--http-...`, `--import-...`, `--migrate-...`, `--sandbox-...`, `--store-...`, `--webhooks-...`: each a table of the file |

mod admin;
mod database;
mod folders;
mod key;
mod listen_address;
mod operator;
mod serve;
mod tables;
mod telemetry;
mod whole_number;

pub(super) use admin::AdminListener;
pub(in crate::cli) use folders::{FolderArgs, Folders, PluginsFrom};
pub(in crate::cli) use key::NewKekArgs;
pub(in crate::cli) use listen_address::listen_address;
pub(in crate::cli) use operator::OperatorArgs;
pub(in crate::cli) use serve::ServeArgs;
pub(in crate::cli) use whole_number::whole_number;
