//! The settings in tables of `keyferry.toml`: limits for clients, plugins, imports and webhook receivers, and permitted
//! preferences.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::whole_number::whole_number;
use keyferry_api::HttpSettings;
use keyferry_egress::EgressLimits;
use keyferry_imports::ImportSettings;
use keyferry_sandbox::SandboxLimits;
use keyferry_service::{Allowance, MigratePolicy};
use keyferry_store::sled::SledSettings;
use keyferry_types::ids::Slug;
use keyferry_webhooks::DeliverySettings;

/// The table `[http]`.
#[derive(Args)]
#[command(next_help_heading = "How long clients may take")]
pub(super) struct HttpArgs {
    /// Seconds to receive a request's head; the same limit for a TLS handshake.
    #[arg(long, value_name = "N", env = "KEYFERRY_HTTP_HEAD_SECONDS",
        default_value_t = seconds(HttpSettings::default().head_timeout), value_parser = whole_number::<NonZeroU32>)]
    http_head_seconds: NonZeroU32,

    /// Seconds to receive a request's body.
    #[arg(long, value_name = "N", env = "KEYFERRY_HTTP_BODY_SECONDS",
        default_value_t = seconds(HttpSettings::default().body_timeout), value_parser = whole_number::<NonZeroU32>)]
    http_body_seconds: NonZeroU32,

    /// Seconds to keep a connection between two requests.
    #[arg(long, value_name = "N", env = "KEYFERRY_HTTP_IDLE_SECONDS",
        default_value_t = seconds(HttpSettings::default().idle_timeout), value_parser = whole_number::<NonZeroU32>)]
    http_idle_seconds: NonZeroU32,

    /// Seconds to read a response that does not fit into the system's buffers.
    #[arg(long, value_name = "N", env = "KEYFERRY_HTTP_WRITE_SECONDS",
        default_value_t = seconds(HttpSettings::default().write_timeout), value_parser = whole_number::<NonZeroU32>)]
    http_write_seconds: NonZeroU32,

    /// Seconds to wait for running requests on shutdown.
    #[arg(long, value_name = "N", env = "KEYFERRY_HTTP_DRAIN_SECONDS",
        default_value_t = seconds(HttpSettings::default().drain_timeout), value_parser = whole_number::<NonZeroU32>)]
    http_drain_seconds: NonZeroU32,
}

/// The table `[migrate]`.
#[derive(Args)]
#[command(next_help_heading = "What callers may ask for")]
pub(super) struct MigrateArgs {
    /// `Prefer: verify=only`: verify a credential without storing it.
    #[arg(long, value_name = "WHETHER", env = "KEYFERRY_MIGRATE_VERIFY_ONLY", default_value = "allow")]
    migrate_verify_only: Whether,

    /// `Prefer: verify=skip`: store a credential without verifying it.
    #[arg(long, value_name = "WHETHER", env = "KEYFERRY_MIGRATE_VERIFY_SKIP", default_value = "deny")]
    migrate_verify_skip: Whether,

    /// `Prefer: on-unverified=store`: store a credential when the provider gives no verdict.
    #[arg(long, value_name = "WHETHER", env = "KEYFERRY_MIGRATE_ON_UNVERIFIED_STORE", default_value = "allow")]
    migrate_on_unverified_store: Whether,

    /// Slugs of the organisation's own apps, which cannot be migrated to. Separate several by commas [default: none].
    #[arg(long, value_name = "SLUG", env = "KEYFERRY_MIGRATE_CUSTOM_APPS", value_delimiter = ',')]
    migrate_custom_apps: Vec<Slug>,
}

/// The table `[sandbox]`.
#[derive(Args)]
#[command(next_help_heading = "How much one call of a plugin may use")]
pub(super) struct SandboxArgs {
    /// Bytes of memory of one call.
    #[arg(long, value_name = "BYTES", env = "KEYFERRY_SANDBOX_MEMORY_BYTES",
        default_value_t = SandboxLimits::default().memory_bytes, value_parser = whole_number::<usize>)]
    sandbox_memory_bytes: usize,

    /// Bytes of a component file.
    #[arg(long, value_name = "BYTES", env = "KEYFERRY_SANDBOX_FILE_BYTES",
        default_value_t = SandboxLimits::default().file_bytes, value_parser = whole_number::<usize>)]
    sandbox_file_bytes: usize,

    /// Seconds of wall-clock time of one call, including the wait for providers.
    #[arg(long, value_name = "N", env = "KEYFERRY_SANDBOX_WALL_SECONDS",
        default_value_t = seconds(SandboxLimits::default().wall), value_parser = whole_number::<NonZeroU32>)]
    sandbox_wall_seconds: NonZeroU32,

    /// Milliseconds of processor time in the plugin's own code.
    #[arg(long, value_name = "N", env = "KEYFERRY_SANDBOX_CPU_MILLIS",
        default_value_t = millis(SandboxLimits::default().cpu), value_parser = whole_number::<NonZeroU32>)]
    sandbox_cpu_millis: NonZeroU32,

    /// Requests to providers in one call.
    #[arg(long, value_name = "N", env = "KEYFERRY_SANDBOX_REQUESTS",
        default_value_t = at_least_one(EgressLimits::default().requests_per_call), value_parser = whole_number::<NonZeroU32>)]
    sandbox_requests: NonZeroU32,

    /// Concurrent requests of one app to one host; further requests wait.
    #[arg(long, value_name = "N", env = "KEYFERRY_SANDBOX_REQUESTS_PER_HOST",
        default_value_t = count(EgressLimits::default().concurrency_per_host), value_parser = whole_number::<NonZeroU32>)]
    sandbox_requests_per_host: NonZeroU32,

    /// Concurrent calls.
    #[arg(long, value_name = "N", env = "KEYFERRY_SANDBOX_SLOTS",
        default_value_t = at_least_one(u32::try_from(SandboxLimits::default().slots).unwrap_or(u32::MAX)), value_parser = whole_number::<NonZeroU32>)]
    sandbox_slots: NonZeroU32,

    /// Calls that wait for a slot; further calls are refused.
    #[arg(long, value_name = "N", env = "KEYFERRY_SANDBOX_QUEUE",
        default_value_t = SandboxLimits::default().queue, value_parser = whole_number::<usize>)]
    sandbox_queue: usize,
}

/// The table `[webhooks]`.
#[derive(Args)]
#[command(next_help_heading = "Webhook deliveries")]
pub(super) struct WebhookArgs {
    /// Milliseconds from the first failed attempt to the second; each later interval is five times as long.
    #[arg(long, value_name = "N", env = "KEYFERRY_WEBHOOKS_RETRY_MILLIS",
        default_value_t = millis(DeliverySettings::default().first_wait), value_parser = whole_number::<NonZeroU32>)]
    webhooks_retry_millis: NonZeroU32,

    /// Seconds that a receiver may take to respond.
    #[arg(long, value_name = "N", env = "KEYFERRY_WEBHOOKS_ANSWER_SECONDS",
        default_value_t = seconds(DeliverySettings::default().response_time), value_parser = whole_number::<NonZeroU32>)]
    webhooks_answer_seconds: NonZeroU32,
}

/// The table `[import]`.
#[derive(Args)]
#[command(next_help_heading = "How bulk imports are carried out")]
pub(super) struct ImportArgs {
    /// Concurrent rows of all imports together.
    #[arg(long, value_name = "N", env = "KEYFERRY_IMPORT_ROWS_AT_ONCE",
        default_value_t = count(ImportSettings::default().at_once), value_parser = whole_number::<NonZeroU32>)]
    import_rows_at_once: NonZeroU32,

    /// Concurrent rows of one app of one import; fewer if its provider accepts fewer.
    #[arg(long, value_name = "N", env = "KEYFERRY_IMPORT_ROWS_PER_APP",
        default_value_t = count(ImportSettings::default().per_app), value_parser = whole_number::<NonZeroU32>)]
    import_rows_per_app: NonZeroU32,

    /// Seconds of a provider's outage until an import pauses.
    #[arg(long, value_name = "N", env = "KEYFERRY_IMPORT_PATIENCE_SECONDS",
        default_value_t = seconds(ImportSettings::default().patience), value_parser = whole_number::<NonZeroU32>)]
    import_patience_seconds: NonZeroU32,

    /// Seconds after its end in which an import can be undone, unless it is confirmed.
    #[arg(long, value_name = "N", env = "KEYFERRY_IMPORT_RETENTION_SECONDS",
        default_value_t = seconds(ImportSettings::default().retention), value_parser = whole_number::<NonZeroU32>)]
    import_retention_seconds: NonZeroU32,

    /// The maximum number of rows of a file.
    #[arg(long, value_name = "N", env = "KEYFERRY_IMPORT_MOST_ROWS",
        default_value_t = ImportSettings::default().most_rows, value_parser = whole_number::<u64>)]
    import_most_rows: u64,

    /// Files that are received concurrently.
    #[arg(long, value_name = "N", env = "KEYFERRY_IMPORT_UPLOADS",
        default_value_t = count(ImportSettings::default().uploads), value_parser = whole_number::<NonZeroU32>)]
    import_uploads: NonZeroU32,
}

/// The table `[store]`.
#[derive(Args)]
#[command(next_help_heading = "The store")]
pub(super) struct StoreArgs {
    /// MiB of the store's pages to keep in memory. A page takes about twice as much there as on disk.
    #[arg(long, value_name = "N", env = "KEYFERRY_STORE_CACHE_MIB",
        default_value_t = mebibytes(SledSettings::new("").cache_capacity), value_parser = whole_number::<NonZeroU32>)]
    store_cache_mib: NonZeroU32,
}

impl StoreArgs {
    /// The cache size in bytes.
    pub(super) fn cache(&self) -> u64 {
        u64::from(self.store_cache_mib.get()) << 20
    }
}

/// Whether callers may request an option.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Whether {
    /// The option is permitted.
    Allow,
    /// The option is refused.
    Deny,
}

impl From<Whether> for Allowance {
    fn from(whether: Whether) -> Self {
        match whether {
            Whether::Allow => Self::Allow,
            Whether::Deny => Self::Deny,
        }
    }
}

impl HttpArgs {
    /// All but the number of connections.
    pub(super) fn settings(&self) -> HttpSettings {
        let seconds = |number: NonZeroU32| Duration::from_secs(number.get().into());
        HttpSettings {
            head_timeout: seconds(self.http_head_seconds),
            body_timeout: seconds(self.http_body_seconds),
            idle_timeout: seconds(self.http_idle_seconds),
            write_timeout: seconds(self.http_write_seconds),
            drain_timeout: seconds(self.http_drain_seconds),
            ..HttpSettings::default()
        }
    }
}

impl MigrateArgs {
    pub(super) fn policy(self) -> MigratePolicy {
        MigratePolicy {
            verify_only: self.migrate_verify_only.into(),
            verify_skip: self.migrate_verify_skip.into(),
            on_unverified_store: self.migrate_on_unverified_store.into(),
            custom_apps: self.migrate_custom_apps,
            ..MigratePolicy::default()
        }
    }
}

impl ImportArgs {
    pub(super) fn settings(&self) -> ImportSettings {
        ImportSettings {
            at_once: self.import_rows_at_once.get() as usize,
            per_app: self.import_rows_per_app.get() as usize,
            patience: Duration::from_secs(self.import_patience_seconds.get().into()),
            retention: Duration::from_secs(self.import_retention_seconds.get().into()),
            most_rows: self.import_most_rows,
            uploads: self.import_uploads.get() as usize,
            ..ImportSettings::default()
        }
    }
}

impl WebhookArgs {
    pub(super) fn settings(&self) -> DeliverySettings {
        DeliverySettings {
            first_wait: Duration::from_millis(self.webhooks_retry_millis.get().into()),
            response_time: Duration::from_secs(self.webhooks_answer_seconds.get().into()),
        }
    }
}

impl SandboxArgs {
    /// Limits of what plugins send.
    pub(super) fn egress(&self) -> EgressLimits {
        EgressLimits {
            requests_per_call: self.sandbox_requests.get(),
            concurrency_per_host: self.sandbox_requests_per_host.get() as usize,
            ..EgressLimits::default()
        }
    }

    pub(super) fn limits(&self) -> SandboxLimits {
        SandboxLimits {
            memory_bytes: self.sandbox_memory_bytes,
            file_bytes: self.sandbox_file_bytes,
            wall: Duration::from_secs(self.sandbox_wall_seconds.get().into()),
            cpu: Duration::from_millis(self.sandbox_cpu_millis.get().into()),
            slots: self.sandbox_slots.get() as usize,
            queue: self.sandbox_queue,
            ..SandboxLimits::default()
        }
    }
}

fn seconds(time: Duration) -> NonZeroU32 {
    at_least_one(u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
}

fn millis(time: Duration) -> NonZeroU32 {
    at_least_one(u32::try_from(time.as_millis()).unwrap_or(u32::MAX))
}

fn count(number: usize) -> NonZeroU32 {
    at_least_one(u32::try_from(number).unwrap_or(u32::MAX))
}

fn mebibytes(bytes: u64) -> NonZeroU32 {
    at_least_one(u32::try_from(bytes >> 20).unwrap_or(u32::MAX))
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}
