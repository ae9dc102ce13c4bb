//! What `serve` can be told: by flag, else by environment, else by `keyferry.toml`, else by default.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::CliError;
use super::key_settings::KekArgs;
use crate::egress::{DevResolve, DnsServer, EgressSettings, Loopback};
use crate::http::{HttpSettings, RateLimit, RateLimits, TlsFiles};
use crate::migrate::MigratePolicy;
use crate::plugins::{GrantPolicy, SandboxLimits};
use crate::vault::KeyProvider;
use crate::webhooks::DeliverySettings;

/// Flags of `keyferry serve`.
#[derive(Args, Default)]
pub(super) struct ServeArgs {
    /// Where to listen [default: 127.0.0.1:8700].
    #[arg(long, value_name = "IP:PORT", env = "KEYFERRY_LISTEN")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    pub(super) folders: FolderArgs,

    /// A TOML file with any of these settings.
    #[arg(long, value_name = "FILE", env = "KEYFERRY_CONFIG")]
    config: Option<PathBuf>,

    /// For trying out: a plugin dropped into the folder is granted what it asks for.
    #[arg(long, env = "KEYFERRY_DEV")]
    dev: bool,

    /// Grant a dropped-in plugin the requests that it asks for, without asking the operator.
    #[arg(long, env = "KEYFERRY_GRANT_ON_DROP")]
    grant_on_drop: bool,

    /// Requests a second that one API key may make [default: no limit].
    #[arg(long, value_name = "N", env = "KEYFERRY_RATE_LIMIT")]
    rate_limit: Option<NonZeroU32>,

    /// Requests that one API key may make at once [default: as many as in a second].
    #[arg(long, value_name = "N", env = "KEYFERRY_RATE_BURST", requires = "rate_limit")]
    rate_burst: Option<NonZeroU32>,

    /// Credentials a minute that providers may turn away from one API key [default: 300].
    #[arg(long, value_name = "N", env = "KEYFERRY_FAILED_VERIFICATIONS")]
    failed_verifications: Option<NonZeroU32>,

    /// Connections at once [default: 4096].
    #[arg(long, value_name = "N", env = "KEYFERRY_MAX_CONNECTIONS")]
    max_connections: Option<NonZeroU32>,

    /// Serve HTTPS with this certificate (PEM, with those that lead to its root). Read again when it changes.
    #[arg(long, value_name = "FILE", env = "KEYFERRY_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", env = "KEYFERRY_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Certificates (PEM) to trust for providers, besides the public ones.
    #[arg(long, value_name = "FILE", env = "KEYFERRY_EGRESS_CA")]
    egress_ca: Option<PathBuf>,

    /// Ask this DNS server for the names of providers. Repeatable [default: those of /etc/resolv.conf].
    #[arg(long, value_name = "IP[:PORT]", env = "KEYFERRY_EGRESS_DNS", value_delimiter = ',')]
    egress_dns: Vec<DnsServer>,

    /// Dial this address for that name. Repeatable; once given, no other name exists. Not for production.
    #[arg(long, value_name = "HOST=IP:PORT", env = "KEYFERRY_DEV_RESOLVE", value_delimiter = ',')]
    dev_resolve: Vec<DevResolve>,

    /// Let plugins reach loopback addresses. Not for production.
    #[arg(long, env = "KEYFERRY_DEV_ALLOW_LOOPBACK")]
    dev_allow_loopback: bool,

    /// How log lines look [default: text].
    #[arg(long, value_name = "FORMAT", env = "KEYFERRY_LOG_FORMAT")]
    log_format: Option<LogFormat>,
}

/// Where things lie: shared by `serve` and the operator's commands.
#[derive(Args, Default, Clone)]
pub(super) struct FolderArgs {
    /// The data folder: store, keys, grants [default: ./keyferry-data].
    #[arg(long, value_name = "DIR", env = "KEYFERRY_DATA")]
    pub(super) data: Option<PathBuf>,

    /// The plugin folder: one .wasm file an app [default: plugins in the data folder].
    #[arg(long, value_name = "DIR", env = "KEYFERRY_PLUGINS")]
    pub(super) plugins: Option<PathBuf>,

    /// Where grants are recorded [default: keyferry.lock in the data folder].
    #[arg(long, value_name = "FILE", env = "KEYFERRY_LOCK")]
    pub(super) lock: Option<PathBuf>,

    #[command(flatten)]
    pub(super) key: KekArgs,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `keyferry.toml`. Every flag has its namesake here, and some settings are only here.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct ConfigFile {
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    plugins: Option<PathBuf>,
    lock: Option<PathBuf>,
    key_file: Option<PathBuf>,
    key_env: Option<String>,
    key_kms: Option<String>,
    key_transit: Option<String>,
    key_token_file: Option<PathBuf>,
    key_namespace: Option<String>,
    key_ca: Option<PathBuf>,
    dev: bool,
    grant_on_drop: bool,
    rate_limit: Option<NonZeroU32>,
    rate_burst: Option<NonZeroU32>,
    failed_verifications: Option<NonZeroU32>,
    max_connections: Option<NonZeroU32>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    egress_ca: Option<PathBuf>,
    egress_dns: Vec<String>,
    dev_resolve: Vec<String>,
    dev_allow_loopback: bool,
    log_format: Option<LogFormat>,
    http: HttpSection,
    migrate: MigratePolicy,
    sandbox: SandboxSection,
    webhooks: WebhookSection,
}

/// `[http]`: how long a client may take.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct HttpSection {
    head_seconds: Option<NonZeroU32>,
    body_seconds: Option<NonZeroU32>,
    idle_seconds: Option<NonZeroU32>,
    write_seconds: Option<NonZeroU32>,
    drain_seconds: Option<NonZeroU32>,
}

/// `[sandbox]`: the limits of one call.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct SandboxSection {
    memory_bytes: Option<usize>,
    file_bytes: Option<usize>,
    wall_seconds: Option<NonZeroU32>,
    cpu_millis: Option<NonZeroU32>,
    requests: Option<NonZeroU32>,
    slots: Option<NonZeroU32>,
    queue: Option<usize>,
}

/// `[webhooks]`: how deliveries go.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct WebhookSection {
    retry_millis: Option<NonZeroU32>,
    answer_seconds: Option<NonZeroU32>,
}

/// What a server runs with.
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) folders: Folders,
    pub(super) grants: GrantPolicy,
    pub(super) rates: RateLimits,
    pub(super) http: HttpSettings,
    pub(super) tls: Option<TlsFiles>,
    pub(super) egress: EgressSettings,
    pub(super) policy: MigratePolicy,
    pub(super) limits: SandboxLimits,
    pub(super) webhooks: DeliverySettings,
    pub(super) log_format: LogFormat,
}

/// Where things lie, decided.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub(super) data: super::files::DataFolder,
    pub(super) plugins: PathBuf,
    pub(super) lock: PathBuf,
    pub(super) key: KeyProvider,
}

impl FolderArgs {
    /// Decides where things lie; the data folder is made.
    pub(super) fn decide(self) -> Result<Folders, CliError> {
        let data = super::files::DataFolder::open(&self.data.unwrap_or_else(|| PathBuf::from("keyferry-data")))?;
        let key = self.key.decide()?.unwrap_or_else(|| KeyProvider::File(data.key()));
        Ok(Folders {
            plugins: self.plugins.unwrap_or_else(|| data.plugins()),
            lock: self.lock.unwrap_or_else(|| data.lock()),
            key,
            data,
        })
    }
}

impl ServeArgs {
    /// Flags, environment and file together.
    pub(super) fn settings(self) -> Result<Settings, CliError> {
        let file = self.config.as_deref().map(read_config).transpose()?.unwrap_or_default();
        let folders = FolderArgs {
            data: self.folders.data.or(file.data),
            plugins: self.folders.plugins.or(file.plugins),
            lock: self.folders.lock.or(file.lock),
            key: self.folders.key.or(KekArgs {
                key_file: file.key_file,
                key_env: file.key_env,
                key_kms: parsed("key-kms", file.key_kms)?,
                key_transit: parsed("key-transit", file.key_transit)?,
                key_token_file: file.key_token_file,
                key_namespace: file.key_namespace,
                key_ca: file.key_ca,
            }),
        };
        let on_drop = self.grant_on_drop || self.dev || file.grant_on_drop || file.dev;
        let per_second = self.rate_limit.or(file.rate_limit);
        let burst = self.rate_burst.or(file.rate_burst);
        let dns = or_listed(self.egress_dns, &file.egress_dns, "egress-dns")?;
        let dev_resolve = or_listed(self.dev_resolve, &file.dev_resolve, "dev-resolve")?;
        let loopback = if self.dev_allow_loopback || file.dev_allow_loopback {
            Loopback::AllowedForDevelopment
        } else {
            Loopback::Refused
        };
        let mut egress = EgressSettings {
            ca_file: self.egress_ca.or(file.egress_ca),
            dns,
            dev_resolve,
            loopback,
            ..EgressSettings::default()
        };
        if let Some(requests) = file.sandbox.requests {
            egress.limits.requests_per_call = requests.get();
        }
        let tls = match (self.tls_cert.or(file.tls_cert), self.tls_key.or(file.tls_key)) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) => return Err("tls-cert is set and tls-key is not: HTTPS needs both".into()),
            (None, Some(_)) => return Err("tls-key is set and tls-cert is not: HTTPS needs both".into()),
        };
        Ok(Settings {
            listen: self.listen.or(file.listen).unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 8700).into()),
            folders: folders.decide()?,
            grants: if on_drop { GrantPolicy::OnDrop } else { GrantPolicy::Recorded },
            rates: RateLimits {
                requests: per_second.map(|per_second| RateLimit { per_second, burst: burst.unwrap_or(per_second) }),
                failed_verifications: self
                    .failed_verifications
                    .or(file.failed_verifications)
                    .unwrap_or(RateLimits::FAILED_VERIFICATIONS),
            },
            http: file.http.settings(self.max_connections.or(file.max_connections)),
            tls,
            egress,
            policy: file.migrate,
            limits: file.sandbox.limits(),
            webhooks: file.webhooks.settings(),
            log_format: self.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
        })
    }
}

impl HttpSection {
    fn settings(&self, max_connections: Option<NonZeroU32>) -> HttpSettings {
        let default = HttpSettings::default();
        HttpSettings {
            max_connections: max_connections.map_or(default.max_connections, |count| count.get() as usize),
            head_timeout: seconds(self.head_seconds, default.head_timeout),
            body_timeout: seconds(self.body_seconds, default.body_timeout),
            idle_timeout: seconds(self.idle_seconds, default.idle_timeout),
            write_timeout: seconds(self.write_seconds, default.write_timeout),
            drain_timeout: seconds(self.drain_seconds, default.drain_timeout),
        }
    }
}

fn seconds(set: Option<NonZeroU32>, default: Duration) -> Duration {
    set.map_or(default, |seconds| Duration::from_secs(seconds.get().into()))
}

impl WebhookSection {
    fn settings(&self) -> DeliverySettings {
        let default = DeliverySettings::default();
        let millis = |millis: NonZeroU32| Duration::from_millis(millis.get().into());
        DeliverySettings {
            first_wait: self.retry_millis.map_or(default.first_wait, millis),
            answer_time: seconds(self.answer_seconds, default.answer_time),
        }
    }
}

impl SandboxSection {
    fn limits(&self) -> SandboxLimits {
        let default = SandboxLimits::default();
        SandboxLimits {
            memory_bytes: self.memory_bytes.unwrap_or(default.memory_bytes),
            file_bytes: self.file_bytes.unwrap_or(default.file_bytes),
            wall: seconds(self.wall_seconds, default.wall),
            cpu: self.cpu_millis.map_or(default.cpu, |millis| Duration::from_millis(millis.get().into())),
            slots: self.slots.map_or(default.slots, |slots| slots.get() as usize),
            queue: self.queue.unwrap_or(default.queue),
            ..default
        }
    }
}

/// What was given by flags, else what the file lists under `name`.
fn or_listed<T>(given: Vec<T>, listed: &[String], name: &str) -> Result<Vec<T>, CliError>
where
    T: FromStr<Err: std::fmt::Display>,
{
    if !given.is_empty() {
        return Ok(given);
    }
    listed.iter().map(|text| text.parse().map_err(|error| format!("{name}: {error}").into())).collect()
}

/// A setting of the file in the shape that it has.
fn parsed<T: FromStr<Err: std::fmt::Display>>(name: &str, text: Option<String>) -> Result<Option<T>, CliError> {
    let parse = |text: String| text.parse().map_err(|error| format!("{name} `{text}`: {error}").into());
    text.map(parse).transpose()
}

fn read_config(path: &Path) -> Result<ConfigFile, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    // The parser's message shows line and column and the words it knows.
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(config: &str, change: impl FnOnce(&mut ServeArgs)) -> Result<Settings, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyferry.toml");
        std::fs::write(&path, config).unwrap();
        let mut args = ServeArgs { config: Some(path), ..ServeArgs::default() };
        args.folders.data = Some(folder.path().join("data"));
        change(&mut args);
        args.settings()
    }

    #[test]
    fn a_flag_counts_before_the_file_and_the_file_before_the_default() {
        let config = "listen = \"127.0.0.1:1\"\nrate-limit = 5\n[http]\nbody-seconds = 3\n[sandbox]\ncpu-millis = 50\n[migrate]\nverify-skip = \"allow\"\n";
        let from_file = settings(config, |_| {}).unwrap();
        assert_eq!(from_file.listen.port(), 1);
        assert_eq!(from_file.limits.cpu, Duration::from_millis(50));
        assert_eq!(from_file.http.body_timeout, Duration::from_secs(3));
        assert_eq!(from_file.http.idle_timeout, HttpSettings::default().idle_timeout);
        assert_eq!(from_file.rates.requests.unwrap().burst.get(), 5);
        let flagged = settings(config, |args| args.listen = Some("127.0.0.1:2".parse().unwrap())).unwrap();
        assert_eq!(flagged.listen.port(), 2);
        assert_eq!(settings("", |_| {}).unwrap().listen.port(), 8700);
    }

    #[test]
    fn dns_servers_come_from_the_flag_or_else_from_the_file() {
        let config = "egress-dns = [\"192.0.2.1\", \"192.0.2.2:5353\"]\n";
        let shown = |settings: Settings| settings.egress.dns.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(settings(config, |_| {}).unwrap()), ["192.0.2.1:53", "192.0.2.2:5353"]);
        let flag = "192.0.2.3".parse().unwrap();
        assert_eq!(shown(settings(config, |args| args.egress_dns = vec![flag]).unwrap()), ["192.0.2.3:53"]);
        let error = settings("egress-dns = [\"dns.example\"]\n", |_| {}).err().unwrap().to_string();
        assert!(error.starts_with("egress-dns: \"dns.example\" must be the IP address"), "{error}");
    }

    #[test]
    fn the_key_service_can_be_named_in_the_file() {
        let config = "key-transit = \"https://vault.example.com/v1/transit/keys/k\"\nkey-token-file = \"token\"\n";
        assert!(matches!(settings(config, |_| {}).unwrap().folders.key, KeyProvider::Transit(_)));
        assert!(matches!(settings("key-kms = \"alias/k\"\n", |_| {}).unwrap().folders.key, KeyProvider::Kms { .. }));
        let error = settings("key-kms = \"k\"\n", |_| {}).err().unwrap().to_string();
        assert!(error.starts_with("key-kms `k`: a key of AWS KMS is given by"), "{error}");
        let two = settings("key-kms = \"alias/k\"\n", |args| args.folders.key.key_env = Some("K".to_owned()));
        assert!(two.err().unwrap().to_string().starts_with("key-env and key-kms are set"));
    }

    #[test]
    fn a_word_that_the_file_does_not_know_is_named_with_its_place() {
        let error = settings("listne = \"127.0.0.1:1\"\n", |_| {}).err().unwrap().to_string();
        assert!(error.contains("keyferry.toml") && error.contains("line 1") && error.contains("listne"), "{error}");
    }
}
