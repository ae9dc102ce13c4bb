//! The command line: one file a subcommand.
//!
//! | file | command |
//! |---|---|
//! | `command` | all commands, and the function that runs each |
//! | `serve`, `signals` | `keyferry serve`, and the signals that end it |
//! | `demo`, `demo_guide` | `keyferry demo`, and what to try with it |
//! | `org` | `keyferry org list` |
//! | `api_key` | `keyferry api-key create`, `list`, `revoke` |
//! | `key`, `rewrap` | `keyferry key list`, `rotate`, `reseal`, `disable`, `destroy`, `rewrap` |
//! | `import` | `keyferry import`, `imports list`, `show`, `watch`, `results`, `pause`, `resume`, `cancel`, `retry-failed`, `undo`, `confirm`, `delete` |
//! | `export` | `keyferry export` |
//! | `audit` | `keyferry audit verify`, `export` |
//! | `openapi` | `keyferry openapi` |
//! | `plugin` | `keyferry plugin new`, `build`, `inspect`, `check`, `test`, `call`, `record`, `list`, `grant`, `revoke`, `rollback` |
//! | `config` | `keyferry config check`, `example`; all settings, `keyferry.toml` included |
//!
//! What several commands need:
//!
//! | file | answers |
//! |---|---|
//! | `server`, `store_and_vault` | how are a server's components put together? |
//! | `store_gauges` | which metrics are measured of the store? |
//! | `operator` | how is an operator's command sent to the running server, or carried out without one? |
//! | `api_client`, `retry` | how are requests sent to a running server's public API, and repeated while it is busy? |
//! | `log` | how are log lines and spans written? |
//! | `notices` | how does `serve` say what is no log line? |
//! | `term` | how is text printed? |
//! | `table`, `wrap` | how is a table written for a terminal and for a pipe, and a text in lines? |
//! | `error` | what is the result of a command? |

mod api_client;
mod api_key;
mod audit;
mod command;
mod config;
mod demo;
mod demo_guide;
mod error;
mod export;
mod import;
mod key;
mod log;
mod notices;
mod openapi;
mod operator;
mod org;
mod plugin;
mod retry;
mod rewrap;
mod serve;
mod server;
mod signals;
mod store_and_vault;
mod store_gauges;
mod table;
mod term;
mod wrap;

pub use command::main;
