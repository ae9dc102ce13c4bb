//! The resolved settings: all layers put together, and values checked against each other.

use std::net::SocketAddr;

use clap::ValueEnum;

use super::flags::{AdminListener, Folders};
use keyferry_api::{CorsOrigin, HttpSettings, RateLimit, TlsFiles};
use keyferry_egress::{EgressSettings, Loopback};
use keyferry_imports::ImportSettings;
use keyferry_sandbox::{GrantPolicy, SandboxLimits};
use keyferry_service::MigratePolicy;
use keyferry_telemetry::{LogFilter, OtlpSettings};
use keyferry_types::path_text::ShowPath as _;
use keyferry_webhooks::DeliverySettings;

/// The settings of a server.
pub(in crate::cli) struct Settings {
    pub(in crate::cli) listen: SocketAddr,
    pub(in crate::cli) folders: Folders,
    pub(in crate::cli) grants: GrantPolicy,
    pub(in crate::cli) rate_limit: Option<RateLimit>,
    pub(in crate::cli) http: HttpSettings,
    pub(in crate::cli) tls: Option<TlsFiles>,
    pub(in crate::cli) cors: Vec<CorsOrigin>,
    pub(in crate::cli) egress: EgressSettings,
    pub(in crate::cli) policy: MigratePolicy,
    pub(in crate::cli) limits: SandboxLimits,
    /// Size of the store's page cache in bytes.
    pub(in crate::cli) store_cache: u64,
    pub(in crate::cli) webhooks: DeliverySettings,
    pub(in crate::cli) imports: ImportSettings,
    pub(in crate::cli) log: LogSettings,
    /// The TCP listener of the admin API, if enabled.
    pub(in crate::cli) admin: Option<AdminListener>,
    /// The listen address of the metrics endpoint, if enabled.
    pub(in crate::cli) metrics: Option<SocketAddr>,
    /// The destination of traces and metrics, if there is one.
    pub(in crate::cli) otlp: Option<OtlpSettings>,
}

impl Settings {
    /// The URL scheme of the server.
    pub(in crate::cli) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// What an operator should know of settings that are allowed.
    pub(in crate::cli) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.listen.ip().is_loopback() && self.tls.is_none() {
            warnings.push(format!(
                "listen is {}, beyond this machine, and tls-cert is not set: API keys and credentials can be read on the way; set \
                 tls-cert and tls-key, or let only a proxy that speaks HTTPS reach this address",
                self.listen
            ));
        }
        if !self.egress.dev_resolve.is_empty() {
            let count = self.egress.dev_resolve.len();
            warnings.push(format!("--dev-resolve: only {count} names exist for plugins, at the addresses given here"));
        }
        if self.egress.loopback == Loopback::AllowedForDevelopment {
            warnings.push("--dev-allow-loopback: plugins and webhooks can reach services on this machine".to_owned());
        }
        if let Some(file) = &self.egress.ca_file {
            warnings.push(format!("--egress-ca: providers with a certificate by {} are believed", file.shown()));
        }
        if self.grants == GrantPolicy::OnDrop {
            let folder = self.folders.plugins.shown();
            warnings.push(format!(
                "--grant-on-drop: any user with write access to {folder} decides where credentials are sent"
            ));
        }
        warnings
    }
}

/// The settings of the log.
pub(in crate::cli) struct LogSettings {
    pub(in crate::cli) format: LogFormat,
    pub(in crate::cli) filter: LogFilter,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LogFormat {
    /// Text lines.
    Text,
    /// One JSON object a line.
    Json,
}
