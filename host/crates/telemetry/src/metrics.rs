//! All metrics, and a function for each thing that is counted.
//!
//! A label has one of few values, none of which a caller can choose: routes are patterns, apps are those whose plugins
//! are loaded. Without an exporter, adding to a metric does nothing.

use std::time::Duration;

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::handles::{self, record};

/// The value of the label `app` if no app has the requested name.
pub const NO_APP: &str = "(none)";

const HTTP_DURATION: &str = "http_server_request_duration_seconds";
const HTTP_ACTIVE: &str = "http_server_active_requests";
const MIGRATIONS: &str = "keyferry_migrations_total";
const VERIFICATION: &str = "keyferry_verification_duration_seconds";
const RENEWALS: &str = "keyferry_renewals_total";
const UNPERSISTED: &str = "keyferry_renewals_unpersisted";
const SLOTS: &str = "keyferry_sandbox_slots";
const RUNNING: &str = "keyferry_sandbox_calls_running";
const QUEUE: &str = "keyferry_sandbox_queue_limit";
const WAITING: &str = "keyferry_sandbox_calls_waiting";
const EGRESS: &str = "keyferry_egress_request_duration_seconds";
const BATCH: &str = "keyferry_store_batch_writes";
const COMMIT: &str = "keyferry_store_commit_duration_seconds";
const SYNC: &str = "keyferry_store_sync_duration_seconds";
const SERVERS: &str = "keyferry_store_servers";
const BATCH_RETRIES: &str = "keyferry_store_batch_retries_total";
const STORE_SIZE: &str = "keyferry_store_size_bytes";
const DISK_FREE: &str = "keyferry_store_disk_free_bytes";
const EXPIRED: &str = "keyferry_connections_expired";
const DELIVERIES_WAITING: &str = "keyferry_webhook_deliveries_waiting";
const DELIVERIES_FAILED: &str = "keyferry_webhook_deliveries_failed";
const IMPORTS: &str = "keyferry_imports_running";
const IMPORT_ROWS: &str = "keyferry_import_rows_total";
const PLUGINS: &str = "keyferry_plugins";
const EXPORTS: &str = "keyferry_trace_exports_total";
const BUILD: &str = "keyferry_build_info";

/// Upper bounds of the buckets of a histogram, by the end of its name.
pub(super) const BUCKETS: [(&str, &[f64]); 4] = [
    ("batch_writes", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
    ("commit_duration_seconds", DISK),
    ("sync_duration_seconds", DISK),
    // What OpenTelemetry's conventions give for requests.
    ("duration_seconds", &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]),
];
const DISK: &[f64] = &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// The histograms with the upper bounds of their buckets.
pub(super) fn histograms() -> impl Iterator<Item = (&'static str, &'static [f64])> {
    [HTTP_DURATION, VERIFICATION, EGRESS, BATCH, COMMIT, SYNC].into_iter().filter_map(|name| {
        let bounds = BUCKETS.iter().find(|(end, _)| name.ends_with(end));
        bounds.map(|(_, bounds)| (name, *bounds))
    })
}

/// Registers the description of each metric.
pub(super) fn describe() {
    describe_histogram!(HTTP_DURATION, "Requests to the public API, by method, route pattern and status.");
    describe_gauge!(HTTP_ACTIVE, "Requests to the public API that are being answered.");
    describe_counter!(MIGRATIONS, "Migrations, by app and outcome.");
    describe_histogram!(VERIFICATION, "Verifications by a plugin, by app and outcome; waiting for a slot included.");
    describe_counter!(RENEWALS, "Renewals of tokens, by app and outcome.");
    describe_gauge!(
        UNPERSISTED,
        "Renewals whose tokens are in memory only, since the store cannot be written to. Above 0 for a minute, act: a restart loses them."
    );
    gauge!(UNPERSISTED).set(0.0);
    describe_gauge!(SLOTS, "Calls of plugins that can run at once.");
    describe_gauge!(RUNNING, "Calls of plugins that run.");
    describe_gauge!(QUEUE, "Calls of plugins that can wait for a slot.");
    describe_gauge!(WAITING, "Calls of plugins that wait for a slot.");
    describe_histogram!(
        EGRESS,
        "Requests of plugins to providers, by outcome: the status's class, or the kind of error."
    );
    describe_histogram!(BATCH, "Writes that were committed together in a batch.");
    describe_histogram!(COMMIT, "Time to commit a batch of writes, sync included.");
    describe_histogram!(SYNC, "Time until the disk confirms that a batch is durable.");
    describe_gauge!(SERVERS, "Servers that have the store open; more than one on PostgreSQL only.");
    describe_counter!(BATCH_RETRIES, "Batches of writes that a database made to be carried out again.");
    describe_gauge!(STORE_SIZE, "Bytes of the store's folder on disk.");
    describe_gauge!(
        DISK_FREE,
        "Bytes that are free on the store's volume. With less than 64 MiB no write is accepted."
    );
    describe_gauge!(EXPIRED, "Connections whose credential no longer works: their users have to connect again.");
    describe_gauge!(DELIVERIES_WAITING, "Events that wait for delivery to a webhook.");
    describe_gauge!(DELIVERIES_FAILED, "Events of the last days whose delivery to a webhook was given up.");
    describe_gauge!(IMPORTS, "Imports whose rows are being processed or undone.");
    describe_counter!(IMPORT_ROWS, "Rows of imports that were settled by processing, by state.");
    describe_gauge!(PLUGINS, "Plugin files, by state.");
    describe_counter!(EXPORTS, "Batches of spans for the collector, by whether it took them.");
    describe_gauge!(BUILD, "1, with the version that runs.");
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// A request that is being processed, counted until it is dropped.
pub struct ActiveRequest(());

impl ActiveRequest {
    /// Counts the request until the value is dropped.
    pub fn begin() -> Self {
        add_to(HTTP_ACTIVE, 1.0);
        Self(())
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        add_to(HTTP_ACTIVE, -1.0);
    }
}

/// Counts a response. `route` is the pattern.
pub fn http_request(method: &'static str, route: &str, status: u16, elapsed: Duration) {
    let find = || {
        let labels = [
            ("http_request_method", method.to_owned()),
            ("http_route", route.to_owned()),
            ("http_response_status_code", status.to_string()),
        ];
        histogram!(HTTP_DURATION, &labels)
    };
    record(&handles::HTTP, (route, method, status), find, |histogram| histogram.record(elapsed));
}

/// Counts a finished migration.
pub fn migration(app: &str, outcome: &'static str) {
    let find = || counter!(MIGRATIONS, "app" => app.to_owned(), "outcome" => outcome);
    record(&handles::MIGRATIONS, (app, outcome, 0), find, |counter| counter.increment(1));
}

/// Counts a verification by a plugin.
pub fn verification(app: &str, outcome: &'static str, elapsed: Duration) {
    let find = || histogram!(VERIFICATION, "app" => app.to_owned(), "outcome" => outcome);
    record(&handles::VERIFICATIONS, (app, outcome, 0), find, |histogram| histogram.record(elapsed));
}

/// Counts a renewal of tokens.
pub fn renewal(app: &str, outcome: &'static str) {
    let find = || counter!(RENEWALS, "app" => app.to_owned(), "outcome" => outcome);
    record(&handles::MIGRATIONS, (app, outcome, 1), find, |counter| counter.increment(1));
}

/// Renewed tokens that are in memory only, counted until this is dropped.
pub struct Unpersisted(());

impl Unpersisted {
    /// Counts them until the value is dropped.
    pub fn begin() -> Self {
        add_to(UNPERSISTED, 1.0);
        Self(())
    }
}

impl Drop for Unpersisted {
    fn drop(&mut self) {
        add_to(UNPERSISTED, -1.0);
    }
}

/// Sets the number of plugin calls that can run and wait.
pub fn sandbox_room(slots: usize, queue: usize) {
    gauge!(SLOTS).set(number(slots));
    gauge!(QUEUE).set(number(queue));
}

/// Something in progress, counted until it is dropped.
pub struct InProgress(&'static str);

impl InProgress {
    /// Counts a call that waits for a slot.
    pub fn waiting() -> Self {
        Self::new(WAITING)
    }

    /// Counts a call that runs.
    pub fn running() -> Self {
        Self::new(RUNNING)
    }

    fn new(gauge: &'static str) -> Self {
        add_to(gauge, 1.0);
        Self(gauge)
    }
}

impl std::fmt::Debug for InProgress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        add_to(self.0, -1.0);
    }
}

/// Counts a request of a plugin, sent or not.
pub fn egress(outcome: &'static str, elapsed: Duration) {
    let find = || histogram!(EGRESS, "outcome" => outcome);
    record(&handles::HISTOGRAMS, (EGRESS, outcome, 0), find, |histogram| histogram.record(elapsed));
}

/// Counts a batch of writes that is on disk.
pub fn commit(writes: usize, elapsed: Duration) {
    record(&handles::HISTOGRAMS, (BATCH, "", 0), || histogram!(BATCH), |histogram| histogram.record(number(writes)));
    record(&handles::HISTOGRAMS, (COMMIT, "", 0), || histogram!(COMMIT), |histogram| histogram.record(elapsed));
}

/// Counts a sync of the disk.
pub fn sync(elapsed: Duration) {
    record(&handles::HISTOGRAMS, (SYNC, "", 0), || histogram!(SYNC), |histogram| histogram.record(elapsed));
}

/// Sets the number of servers that have the store open.
pub fn store_servers(count: usize) {
    gauge!(SERVERS).set(number(count));
    counter!(BATCH_RETRIES).increment(0);
}

/// Counts a batch of writes that is carried out again.
pub fn batch_retried() {
    counter!(BATCH_RETRIES).increment(1);
}

/// Sets the size of the store in bytes and, if the system tells it, the free space on its volume.
pub fn store_disk(used: u64, free: Option<u64>) {
    gauge!(STORE_SIZE).set(bytes(used));
    if let Some(free) = free {
        gauge!(DISK_FREE).set(bytes(free));
    }
}

/// Sets the number of connections whose credential no longer works.
pub fn connections_expired(count: usize) {
    gauge!(EXPIRED).set(number(count));
}

/// Sets the numbers of deliveries to webhooks that wait, and that were given up.
pub fn deliveries(waiting: usize, failed: usize) {
    gauge!(DELIVERIES_WAITING).set(number(waiting));
    gauge!(DELIVERIES_FAILED).set(number(failed));
}

/// Counts an import whose rows are being processed.
pub fn import_running() -> InProgress {
    InProgress::new(IMPORTS)
}

/// Counts a settled row of an import.
pub fn import_row(state: &'static str) {
    counter!(IMPORT_ROWS, "state" => state).increment(1);
}

/// Sets the number of plugin files in a state.
pub fn plugins(state: &'static str, count: usize) {
    gauge!(PLUGINS, "state" => state).set(number(count));
}

/// Counts a batch of spans for the collector.
pub(super) fn export(outcome: &'static str) {
    counter!(EXPORTS, "outcome" => outcome).increment(1);
}

/// Adds to a gauge.
fn add_to(name: &'static str, more: f64) {
    record(&handles::GAUGES, (name, "", 0), || gauge!(name), |gauge| gauge.increment(more));
}

/// Exact up to 2^53, which no count here reaches.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn number(count: usize) -> f64 {
    count as f64
}

/// Exact up to 8 PiB.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn bytes(count: u64) -> f64 {
    count as f64
}
