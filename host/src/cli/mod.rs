//! The command line: one file a subcommand.
//!
//! | file | command |
//! |---|---|
//! | `command` | all commands, and the function that runs each |
//! | `serve`, `signals` | `keyferry serve`, and the signals that end it |
//! | `demo`, `demo_guide` | `keyferry demo`, and what to try with it |
//! | `mock_provider` | `keyferry mock-provider` |
//! | `org` | `keyferry org list` |
//! | `api_key` | `keyferry api-key create`, `list`, `revoke` |
//! | `key`, `rewrap` | `keyferry key list`, `rotate`, `reseal`, `disable`, `destroy`, `rewrap` |
//! | `import` | `keyferry import`, `imports list`, `show`, `watch`, `results`, `pause`, `resume`, `cancel`, `retry-failed`, `undo`, `confirm`, `delete` |
//! | `export` | `keyferry export` |
//! | `webhook` | `keyferry webhook list`, `listen`, `delete` |
//! | `oauth_client` | `keyferry oauth-client put`, `list`, `show`, `delete` |
//! | `whoami` | `keyferry whoami` |
//! | `account` | `keyferry account list`, `show` |
//! | `credentials` | `keyferry credentials show` |
//! | `verify` | `keyferry verify` |
//! | `backup` | `keyferry backup`, `restore`, `store copy` |
//! | `audit` | `keyferry audit verify`, `export` |
//! | `store` | `keyferry store migrate`, `copy` |
//! | `openapi` | `keyferry openapi` |
//! | `plugin` | `keyferry plugin new`, `build`, `inspect`, `check`, `test`, `call`, `record`, `list`, `grant`, `revoke`, `rollback` |
//! | `config` | `keyferry config check`, `example`; all settings, `keyferry.toml` included |
//!
//! What several commands need:
//!
//! | file | answers |
//! |---|---|
//! | `server`, `store_and_vault` | how are a server's components put together? |
//! | `peers` | what do other servers on the same database change of what this one keeps in memory? |
//! | `store_gauges` | which metrics are measured of the store? |
//! | `operator` | how is an operator's command sent to the running server, or carried out without one? |
//! | `api_client`, `server_url`, `retry` | how are requests sent to a running server's public API, and repeated while it is busy? |
//! | `linked_accounts` | how are linked accounts read, and similar ones named? |
//! | `key_identity` | what does the API key stand for, and what to do if it does not do? |
//! | `log`, `log_format` | how are log lines and spans written? what does a line look like? |
//! | `notices` | how does `serve` say what is no log line? |
//! | `term`, `stdout` | how is text printed? was all of a result written? |
//! | `members` | how are members read of the JSON that the server returns? |
//! | `json_list` | how is a long list written in JSON? |
//! | `program` | what is the program called in commands to type? |
//! | `table`, `wrap` | how is a table written for a terminal and for a pipe, and a text in lines? |
//! | `grouping` | how is what is the same for several things said once? |
//! | `conventions` | tests: what have all commands in common? |
//! | `error`, `exit` | what is the result of a command, and its exit code? |

mod account;
mod api_client;
mod api_key;
mod audit;
mod backup;
mod command;
mod config;
#[cfg(test)]
mod conventions;
mod credentials;
mod demo;
mod demo_guide;
mod error;
mod exit;
mod export;
mod grouping;
mod import;
mod json_list;
mod key;
mod key_identity;
mod linked_accounts;
mod log;
mod log_format;
mod members;
mod mock_provider;
mod notices;
mod oauth_client;
mod openapi;
mod operator;
mod org;
mod peers;
mod plugin;
mod program;
mod retry;
mod rewrap;
mod serve;
mod server;
mod server_url;
mod signals;
mod stdout;
mod store;
mod store_and_vault;
mod store_gauges;
mod table;
mod term;
mod verify;
mod webhook;
mod whoami;
mod wrap;

pub use command::main;
