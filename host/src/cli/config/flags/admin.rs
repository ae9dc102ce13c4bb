//! The admin API over TCP, besides the socket in the data folder.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::listen_address::listen_address;
use crate::cli::error::CliError;
use keyferry_api::TlsFiles;
use keyferry_api::admin::OperatorToken;

/// The admin API over TCP. It is off by default.
#[derive(Args)]
#[command(next_help_heading = "Operators")]
pub(super) struct AdminArgs {
    /// Serve the operator's API on this address as well, authenticated by the token in --admin-token-file; on addresses beyond this
    /// machine over HTTPS only [default: only the socket in the data folder].
    #[arg(long, value_name = "IP:PORT", env = "KEYFERRY_ADMIN_LISTEN", value_parser = listen_address)]
    admin_listen: Option<SocketAddr>,

    /// The file with the operator's token: 32 or more characters, readable by its owner only. Read for each request.
    #[arg(long, value_name = "FILE", env = "KEYFERRY_ADMIN_TOKEN_FILE")]
    admin_token_file: Option<PathBuf>,
}

/// The TCP listener of the admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct AdminListener {
    pub(in crate::cli) listen: SocketAddr,
    token_file: PathBuf,
}

impl AdminListener {
    /// The token, if its file is usable.
    pub(in crate::cli) fn token(&self) -> Result<OperatorToken, CliError> {
        Ok(OperatorToken::at(&self.token_file)?)
    }
}

impl AdminArgs {
    /// The listener, if one is set. `tls` is the server's certificate.
    pub(super) fn listener(self, tls: Option<&TlsFiles>) -> Result<Option<AdminListener>, CliError> {
        let (listen, token_file) = match (self.admin_listen, self.admin_token_file) {
            (Some(listen), Some(token_file)) => (listen, token_file),
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return Err(
                    "admin-listen is set and admin-token-file is not: the operator's API would be unauthenticated"
                        .into(),
                );
            }
            (None, Some(_)) => {
                return Err("admin-token-file is set and admin-listen is not: there is no API for the token".into());
            }
        };
        if !listen.ip().is_loopback() && tls.is_none() {
            return Err(format!(
                "admin-listen is {listen}, beyond this machine, and tls-cert is not set: the operator's token would be read on the way"
            )
            .into());
        }
        Ok(Some(AdminListener { listen, token_file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_this_machine_operators_are_listened_to_over_https_only() {
        let tls = TlsFiles { cert: "c".into(), key: "k".into() };
        for (listen, has_tls, is_taken) in [
            ("127.0.0.1:1", false, true),
            ("[::1]:1", false, true),
            ("127.0.0.2:1", false, true),
            ("0.0.0.0:1", false, false),
            ("[::]:1", false, false),
            ("10.0.0.1:1", false, false),
            ("[::ffff:127.0.0.1]:1", false, false),
            ("0.0.0.0:1", true, true),
            ("127.0.0.1:1", true, true),
        ] {
            let args = AdminArgs { admin_listen: Some(listen.parse().unwrap()), admin_token_file: Some("t".into()) };
            assert_eq!(args.listener(has_tls.then_some(&tls)).is_ok(), is_taken, "{listen} {has_tls}");
        }
    }
}
