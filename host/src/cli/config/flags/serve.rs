//! The settings of the server itself, and [`ServeArgs`], the one list of all settings.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{ArgAction, Args, FromArgMatches as _};

use super::admin::AdminArgs;
use super::folders::FolderArgs;
use super::listen_address::listen_address;
use super::tables::{HttpArgs, ImportArgs, MigrateArgs, SandboxArgs, StoreArgs, WebhookArgs};
use super::telemetry::TelemetryArgs;
use super::whole_number::whole_number;
use crate::cli::config::data_folder::DataFolder;
use crate::cli::config::resolved::{LogFormat, LogSettings, Settings};
use crate::cli::error::CliError;
use keyferry_api::{CorsOrigin, HttpSettings, RateLimit, TlsFiles};
use keyferry_egress::{DevResolve, DnsServer, EgressSettings, Loopback};
use keyferry_sandbox::GrantPolicy;
use keyferry_service::MigratePolicy;
use keyferry_telemetry::LogFilter;

/// Flags of `keyferry serve`.
#[derive(Args)]
pub(in crate::cli) struct ServeArgs {
    /// The address to listen on.
    #[arg(long, value_name = "IP:PORT", env = "KEYFERRY_LISTEN", default_value = "127.0.0.1:8700",
        value_parser = listen_address)]
    listen: SocketAddr,

    #[command(flatten)]
    pub(in crate::cli) folders: FolderArgs,

    /// For trying out: grant a plugin that is dropped into the folder what it asks for.
    #[arg(long, value_name = "BOOL", env = "KEYFERRY_DEV", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
        default_missing_value = "true", default_value_t = false, hide_default_value = true, hide_possible_values = true)]
    dev: bool,

    /// Grant a dropped-in plugin the requests that it asks for, without asking the operator.
    #[arg(long, value_name = "BOOL", env = "KEYFERRY_GRANT_ON_DROP", num_args = 0..=1, require_equals = true,
        action = ArgAction::Set, default_missing_value = "true", default_value_t = false, hide_default_value = true,
        hide_possible_values = true)]
    grant_on_drop: bool,

    /// Requests a second for each API key [default: no limit].
    #[arg(long, value_name = "N", env = "KEYFERRY_RATE_LIMIT", value_parser = whole_number::<NonZeroU32>)]
    rate_limit: Option<NonZeroU32>,

    /// Burst of requests for each API key [default: as many as in a second].
    #[arg(long, value_name = "N", env = "KEYFERRY_RATE_BURST", value_parser = whole_number::<NonZeroU32>)]
    rate_burst: Option<NonZeroU32>,

    /// Credentials a minute that providers may reject for one API key, its imports and front ends included.
    #[arg(long, value_name = "N", env = "KEYFERRY_FAILED_VERIFICATIONS",
        default_value_t = MigratePolicy::FAILED_VERIFICATIONS, value_parser = whole_number::<NonZeroU32>)]
    failed_verifications: NonZeroU32,

    /// The maximum number of concurrent connections.
    #[arg(long, value_name = "N", env = "KEYFERRY_MAX_CONNECTIONS", default_value = "4096",
        value_parser = whole_number::<NonZeroU32>)]
    max_connections: NonZeroU32,

    /// Serve HTTPS with this certificate chain (PEM). Read again when it changes.
    #[arg(long, value_name = "FILE", env = "KEYFERRY_TLS_CERT")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", env = "KEYFERRY_TLS_KEY")]
    tls_key: Option<PathBuf>,

    /// Let web pages of these origins (`https://app.example.com`) read responses, by CORS. Separate several by commas [default:
    /// none].
    #[arg(long, value_name = "ORIGIN", env = "KEYFERRY_CORS_ORIGIN", value_delimiter = ',')]
    cors_origin: Vec<CorsOrigin>,

    /// Certificates (PEM) to trust for providers, besides the public ones.
    #[arg(long, value_name = "FILE", env = "KEYFERRY_EGRESS_CA")]
    egress_ca: Option<PathBuf>,

    /// Resolve providers' names by this DNS server. Repeatable [default: those of /etc/resolv.conf].
    #[arg(long, value_name = "IP[:PORT]", env = "KEYFERRY_EGRESS_DNS", value_delimiter = ',')]
    egress_dns: Vec<DnsServer>,

    /// Connect to this address for this name. Repeatable; other names then do not resolve. An address of this machine needs
    /// --dev-allow-loopback too. Not for production.
    #[arg(long, value_name = "HOST=IP:PORT", env = "KEYFERRY_DEV_RESOLVE", value_delimiter = ',')]
    dev_resolve: Vec<DevResolve>,

    /// Let plugins reach loopback addresses. Not for production.
    #[arg(long, value_name = "BOOL", env = "KEYFERRY_DEV_ALLOW_LOOPBACK", num_args = 0..=1, require_equals = true,
        action = ArgAction::Set, default_missing_value = "true", default_value_t = false, hide_default_value = true,
        hide_possible_values = true)]
    dev_allow_loopback: bool,

    /// The format of log lines.
    #[arg(long, value_name = "FORMAT", env = "KEYFERRY_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,

    /// The log filter, in the syntax of tracing-subscriber: `debug`, or `keyferry_egress=trace,info`.
    #[arg(long, value_name = "FILTER", env = "KEYFERRY_LOG", default_value = "info")]
    log_filter: LogFilter,

    #[command(flatten)]
    admin: AdminArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    import: ImportArgs,
    #[command(flatten)]
    migrate: MigrateArgs,
    #[command(flatten)]
    sandbox: SandboxArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    webhooks: WebhookArgs,
}

impl ServeArgs {
    /// The defaults, regardless of the process environment.
    pub(in crate::cli) fn defaults() -> Result<Self, CliError> {
        let command = Self::augment_args(clap::Command::new("keyferry")).mut_args(|arg| arg.env(Resettable::Reset));
        Ok(Self::from_arg_matches(&command.try_get_matches_from(["keyferry"])?)?)
    }

    /// The settings of the log.
    pub(in crate::cli) fn log(&self) -> LogSettings {
        LogSettings { format: self.log_format, filter: self.log_filter.clone() }
    }

    /// Resolves the server's settings and creates the data folder.
    pub(in crate::cli) fn settings(self) -> Result<Settings, CliError> {
        self.settings_in(DataFolder::open)
    }

    /// Resolves the server's settings without creating the data folder.
    pub(in crate::cli) fn preview(self) -> Result<Settings, CliError> {
        self.settings_in(DataFolder::at)
    }

    fn settings_in(self, open: impl FnOnce(&Path) -> Result<DataFolder, CliError>) -> Result<Settings, CliError> {
        let loopback = if self.dev_allow_loopback { Loopback::AllowedForDevelopment } else { Loopback::Refused };
        if let Some(name) =
            self.dev_resolve.iter().find(|one| one.target().ip().is_loopback() && !self.dev_allow_loopback)
        {
            return Err(format!(
                "dev-resolve leads {} to {}, which is on this machine, and dev-allow-loopback is not set: plugins could not reach it; \
                 set both",
                name.host(),
                name.target()
            )
            .into());
        }
        let egress = EgressSettings {
            ca_file: self.egress_ca,
            dns: self.egress_dns,
            dev_resolve: self.dev_resolve,
            loopback,
            limits: self.sandbox.egress(),
            ..EgressSettings::default()
        };
        let rate_limit = match (self.rate_limit, self.rate_burst) {
            (Some(per_second), burst) => Some(RateLimit { per_second, burst: burst.unwrap_or(per_second) }),
            (None, None) => None,
            (None, Some(_)) => return Err("rate-burst is set and rate-limit is not: there is nothing to burst".into()),
        };
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) => return Err("tls-cert is set and tls-key is not: HTTPS needs both".into()),
            (None, Some(_)) => return Err("tls-key is set and tls-cert is not: HTTPS needs both".into()),
        };
        Ok(Settings {
            admin: self.admin.listener(tls.as_ref())?,
            metrics: self.telemetry.metrics_listen,
            otlp: self.telemetry.otlp()?,
            listen: self.listen,
            folders: self.folders.resolve_in(open)?,
            grants: if self.grant_on_drop || self.dev { GrantPolicy::OnDrop } else { GrantPolicy::Recorded },
            rate_limit,
            http: HttpSettings { max_connections: self.max_connections.get() as usize, ..self.http.settings() },
            tls,
            cors: self.cors_origin,
            egress,
            policy: MigratePolicy { failed_verifications: self.failed_verifications, ..self.migrate.policy() },
            limits: self.sandbox.limits(),
            store_cache: self.store.cache(),
            webhooks: self.webhooks.settings(),
            imports: self.import.settings(),
            log: LogSettings { format: self.log_format, filter: self.log_filter },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::config::tests::served;
    use keyferry_imports::ImportSettings;
    use keyferry_sandbox::SandboxLimits;
    use keyferry_vault::KeyProvider;

    /// The settings of `serve` with this file and these flags.
    fn settings(config: &str, flags: &[&str]) -> Result<Settings, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyferry.toml");
        std::fs::write(&path, config).unwrap();
        let (path, data) = (path.display().to_string(), folder.path().join("data").display().to_string());
        let given = ["keyferry", "serve", "--config", &path, "--data", &data];
        served(&[&given, flags].concat())?.settings()
    }

    #[test]
    fn a_flag_counts_before_the_file_and_the_file_before_the_default() {
        let config = "listen = \"127.0.0.1:1\"\nrate-limit = 5\ndev = true\n[http]\nbody-seconds = 3\n[sandbox]\n\
                      cpu-millis = 50\nrequests-per-host = 9\n[migrate]\nverify-skip = \"allow\"\ncustom-apps = [\"a\", \"b\"]\n";
        let from_file = settings(config, &[]).unwrap();
        assert_eq!(from_file.listen.port(), 1);
        assert_eq!(from_file.limits.cpu, Duration::from_millis(50));
        assert_eq!(from_file.egress.limits.concurrency_per_host, 9);
        assert_eq!(from_file.http.body_timeout, Duration::from_secs(3));
        assert_eq!(from_file.http.idle_timeout, HttpSettings::default().idle_timeout);
        assert_eq!(from_file.rate_limit.unwrap().burst.get(), 5);
        assert_eq!(from_file.grants, GrantPolicy::OnDrop);
        assert!(from_file.policy.is_custom("b"));
        let flagged = settings(config, &["--listen=127.0.0.1:2", "--dev=false", "--http-body-seconds", "4"]).unwrap();
        assert_eq!(flagged.listen.port(), 2);
        assert_eq!(flagged.grants, GrantPolicy::Recorded);
        assert_eq!(flagged.http.body_timeout, Duration::from_secs(4));
        assert_eq!(settings("", &[]).unwrap().listen.port(), 8700);
    }

    /// Settings that are not set take each component's default.
    #[test]
    fn the_defaults_are_those_of_the_parts() {
        let (mine, theirs) = (settings("", &[]).unwrap(), HttpSettings::default());
        assert_eq!(format!("{:?}", mine.http), format!("{theirs:?}"));
        assert_eq!(mine.imports, ImportSettings::default());
        assert_eq!(format!("{:?}", mine.limits), format!("{:?}", SandboxLimits::default()));
        assert_eq!(format!("{:?}", mine.policy), format!("{:?}", MigratePolicy::default()));
        assert_eq!(format!("{:?}", mine.egress), format!("{:?}", EgressSettings::default()));
    }

    #[test]
    fn dns_servers_come_from_the_flag_or_else_from_the_file() {
        let config = "egress-dns = [\"192.0.2.1\", \"192.0.2.2:5353\"]\n";
        let shown = |settings: Settings| settings.egress.dns.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(settings(config, &[]).unwrap()), ["192.0.2.1:53", "192.0.2.2:5353"]);
        assert_eq!(shown(settings(config, &["--egress-dns=192.0.2.3"]).unwrap()), ["192.0.2.3:53"]);
    }

    #[test]
    fn the_key_service_can_be_named_in_the_file() {
        let config = "key-transit = \"https://vault.example.com/v1/transit/keys/k\"\nkey-token-file = \"token\"\n";
        assert!(matches!(settings(config, &[]).unwrap().folders.key, KeyProvider::Transit(_)));
        assert!(matches!(settings("key-kms = \"alias/k\"\n", &[]).unwrap().folders.key, KeyProvider::Kms { .. }));
        let two = settings("key-kms = \"alias/k\"\n", &["--key-env=K"]);
        assert!(two.err().unwrap().to_string().starts_with("key-env and key-kms are set"));
    }

    #[test]
    fn what_needs_another_setting_says_so_wherever_it_was_set() {
        for (config, flags, expected) in [
            ("tls-cert = \"c\"\n", &[][..], "tls-cert is set and tls-key is not"),
            ("", &["--tls-key=k"][..], "tls-key is set and tls-cert is not"),
            ("dev-resolve = [\"a.example=127.0.0.1:1\"]\n", &[][..], "dev-resolve leads a.example to 127.0.0.1:1"),
            ("", &["--dev-resolve=a.example=[::1]:1"][..], "dev-resolve leads a.example to [::1]:1"),
            ("rate-burst = 2\n", &[][..], "rate-burst is set and rate-limit is not"),
            ("otlp-ca = \"c\"\n", &[][..], "otlp-ca is set and otlp-endpoint is not"),
            ("", &["--admin-listen=127.0.0.1:0"][..], "admin-listen is set and admin-token-file is not"),
            ("admin-token-file = \"t\"\n", &[][..], "admin-token-file is set and admin-listen is not"),
        ] {
            let error = settings(config, flags).err().unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        for allowed in [
            ["--dev-resolve=a.example=127.0.0.1:1", "--dev-allow-loopback"],
            ["--dev-resolve=a.example=10.0.0.1:1", "--dev"],
        ] {
            assert_eq!(settings("", &allowed).unwrap().egress.dev_resolve.len(), 1, "{allowed:?}");
        }
        assert!(settings("tls-cert = \"c\"\n", &["--tls-key=k"]).unwrap().tls.is_some());
        assert_eq!(settings("rate-limit = 2\n", &["--rate-burst=9"]).unwrap().rate_limit.unwrap().burst.get(), 9);
    }
}
