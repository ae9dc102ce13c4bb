//! Response bodies of imports.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use keyferry_imports::input::Preset;
use keyferry_imports::{ImportView, RowView, Waiting, WaitingRows};
use keyferry_store::{ImportPolicy, ImportRecord, ImportState, Restore, RowCounts, RowState};

/// An import with the state of its rows.
#[derive(Serialize, ToSchema)]
pub(crate) struct Import {
    #[serde(flatten)]
    about: ImportAbout,
    /// The number of all rows, by state.
    counts: Counts,
    /// The rows that are settled, by how they went: `created`, `rejected`, `invalid_json`.
    outcomes: BTreeMap<String, u64>,
    /// Of the rows that are settled, those that have `warnings`.
    rows_with_warnings: u64,
    /// The same app by app.
    apps: Vec<AppRows>,
    /// The apps whose rows wait, and for what.
    waiting: Vec<WaitingApp>,
    /// Rows a second over the last ten; `null` while nothing is under way.
    #[schema(required = true)]
    rate: Option<f64>,
    /// Estimated seconds until the end at this rate; `null` if there is no estimate.
    #[schema(required = true)]
    seconds_left: Option<u64>,
}

/// The properties of an import.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportAbout {
    /// The import's id.
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    /// The state of the import.
    state: ImportState,
    /// The reason for the state; `null` if the state needs none.
    #[schema(required = true)]
    reason: Option<String>,
    /// The file's name, as its sender gave it.
    #[schema(required = true)]
    file: Option<String>,
    /// `sha256:` and the digest of the file as it was sent; `null` while it is being received.
    #[schema(required = true)]
    digest: Option<String>,
    /// Bytes of the file as it was sent.
    bytes: u64,
    /// Rows of the file.
    rows: u64,
    /// The system that the file was exported from.
    #[schema(required = true, example = "nango")]
    from: Option<String>,
    /// Rows whose OAuth access token had ended or was to end within an hour when the file arrived, and that have no refresh token.
    /// What is stored of them is soon of no use.
    ending_soon: u64,
    /// How to export the refresh tokens of such rows, where there are any.
    #[schema(required = true, value_type = Option<String>)]
    ending_soon_advice: Option<&'static str>,
    /// The policy for its rows.
    policy: Policy,
    /// Whether what it replaced is still kept, so that it can be undone and failed rows can be tried again.
    restore: Restore,
    /// When its file began to arrive.
    #[schema(format = DateTime)]
    created_at: String,
    /// When all of its file was here.
    #[schema(required = true, format = DateTime)]
    started_at: Option<String>,
    /// The time at which the import ended.
    #[schema(required = true, format = DateTime)]
    ended_at: Option<String>,
}

/// All imports of an environment.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportList)]
pub(crate) struct Imports {
    /// The imports, newest first.
    imports: Vec<ListedImport>,
}

/// An import in a list.
#[derive(Serialize, ToSchema)]
struct ListedImport {
    #[serde(flatten)]
    about: ImportAbout,
    /// The number of its rows, by state.
    counts: Counts,
}

/// The policy for an import's rows.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportPolicy)]
struct Policy {
    /// Whether credentials are stored or only verified.
    #[schema(value_type = String, example = "apply")]
    mode: &'static str,
    /// What is done with a credential that could not be verified though nothing says that it is bad.
    #[schema(value_type = String, example = "reject")]
    on_unverified: &'static str,
    /// What is done where the account has a credential for the app.
    #[schema(value_type = String, example = "update")]
    on_existing: &'static str,
    /// What is done with accounts that are not there.
    #[schema(value_type = String, example = "reject")]
    accounts: &'static str,
    /// What is done where a credential turns out to be another account's than the stored one.
    #[schema(value_type = String, example = "reject")]
    account_change: &'static str,
    /// How many rows may fail until it stops: `100` or `5%`.
    #[schema(required = true)]
    max_failures: Option<String>,
}

/// The number of rows by state.
#[derive(Serialize, ToSchema, Default)]
#[schema(as = ImportCounts)]
struct Counts {
    /// Rows that are not settled, including those that wait.
    queued: u64,
    /// Of them, those that wait: see `waiting` of the import.
    waiting: u64,
    /// Rows that succeeded.
    done: u64,
    /// Rows that had nothing to do.
    skipped: u64,
    /// Rows that failed.
    failed: u64,
    /// Rows that undo has taken back.
    undone: u64,
    /// Rows that undo left as they are, because what they wrote was changed since.
    kept: u64,
}

/// The rows of one app by state and outcome.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportApp)]
struct AppRows {
    /// The app; `null` for rows that name none that may be shown.
    #[schema(required = true)]
    slug: Option<String>,
    counts: Counts,
    /// The rows that are settled, by how they went.
    outcomes: BTreeMap<String, u64>,
}

/// An app whose rows wait.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportWaiting)]
struct WaitingApp {
    slug: String,
    /// For what: `rate_limit`, `provider` (it is down, or fails them) or `server` (something here is in the way).
    #[schema(value_type = String, example = "provider")]
    reason: &'static str,
    /// How many of the app's rows wait. The others are being worked on.
    rows: u64,
    /// The time since which the rows wait.
    #[schema(format = DateTime)]
    since: String,
    /// The estimated time of the next attempt.
    #[schema(format = DateTime)]
    until: String,
    /// The cause, as the last of these rows received it, for people: `connect ECONNREFUSED api.example.com:443`.
    detail: String,
}

/// A row of an import's ledger.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportRow {
    /// The row's number in the file, from 1, not counting a header.
    row: u64,
    /// The line on which it begins.
    line: u64,
    /// The linked account, where the row names one.
    linked_account_id: Option<String>,
    /// The app, where the row names one that may be shown.
    slug: Option<String>,
    /// The state of the row: `queued`, `waiting`, `done`, `skipped`, `failed`, `undone`, `kept`.
    #[schema(value_type = String, example = "failed")]
    state: &'static str,
    /// The outcome: `created`, `rejected`, `invalid_json`.
    outcome: Option<String>,
    /// Why, for people; of a row that waits, or is left by an import that paused, what it waits or waited for.
    detail: Option<String>,
    /// The start of the wait.
    #[schema(format = DateTime)]
    waiting_since: Option<String>,
    /// When a row that waits is tried next, as it looks now; `null` if its host has to respond to another row first.
    #[schema(format = DateTime)]
    next_try_at: Option<String>,
    /// The column in which it is wrong: of JSON the byte of its line, of CSV the column.
    column: Option<u64>,
    /// The fields that are wrong.
    fields: Vec<String>,
    /// What is worth knowing of it though it does not decide how it went, for people: a value that is not stored.
    warnings: Vec<String>,
    /// The number of attempts.
    attempts: u32,
    /// Milliseconds from its first attempt to the end of its last one.
    took_ms: u64,
    /// The time at which the row was settled.
    #[schema(format = DateTime)]
    settled_at: Option<String>,
}

impl ImportAbout {
    fn new(record: &ImportRecord) -> Self {
        Self {
            id: record.key.id.to_string(),
            state: record.state,
            reason: record.reason.clone(),
            file: record.file.clone(),
            digest: record.digest.map(|digest| format!("sha256:{}", hex::encode(digest))),
            bytes: record.bytes,
            rows: record.rows,
            from: record.from.clone(),
            ending_soon: record.ending_soon,
            ending_soon_advice: (record.ending_soon > 0).then(|| {
                record.from.as_deref().and_then(|from| from.parse::<Preset>().ok()).unwrap_or_default().refresh_tokens()
            }),
            policy: Policy::new(&record.policy),
            restore: record.restore,
            created_at: record.created_at.to_string(),
            started_at: record.started_at.map(|at| at.to_string()),
            ended_at: record.ended_at.map(|at| at.to_string()),
        }
    }
}

impl Policy {
    fn new(policy: &ImportPolicy) -> Self {
        Self {
            mode: policy.mode.as_str(),
            on_unverified: policy.on_unverified.as_str(),
            on_existing: policy.on_existing.as_str(),
            accounts: policy.accounts.as_str(),
            account_change: policy.account_change.as_str(),
            max_failures: policy.max_failures.map(|most| most.to_string()),
        }
    }
}

impl Imports {
    pub(crate) fn new(views: &[ImportView]) -> Self {
        let listed =
            |view: &ImportView| ListedImport { about: ImportAbout::new(&view.record), counts: Counts::of_all(view) };
        Self { imports: views.iter().map(listed).collect() }
    }
}

impl Import {
    pub(crate) fn new(view: &ImportView) -> Self {
        let app = |(slug, counts): (&String, &RowCounts)| AppRows::new(slug, counts, waiting_rows(view, slug, counts));
        let apps: Vec<_> = view.counts.iter().map(app).collect();
        let all = RowCounts::of_all(&view.counts);
        Self {
            about: ImportAbout::new(&view.record),
            counts: Counts::of_all(view),
            outcomes: outcomes(&all),
            rows_with_warnings: all.warned,
            apps,
            waiting: view
                .waiting
                .iter()
                .map(|(slug, waiting)| WaitingApp {
                    slug: slug.to_string(),
                    reason: waiting.reason.as_str(),
                    rows: view.counts.get(slug.as_str()).map_or(0, |counts| rows(waiting, counts)),
                    since: waiting.since.to_string(),
                    until: waiting.until.to_string(),
                    detail: waiting.detail.clone(),
                })
                .collect(),
            rate: view.rate.map(|rate| (rate * 10.0).round() / 10.0),
            seconds_left: seconds_left(view, all.queued),
        }
    }
}

impl AppRows {
    fn new(slug: &str, counts: &RowCounts, waiting: u64) -> Self {
        Self {
            slug: Some(slug).filter(|slug| !slug.is_empty()).map(str::to_owned),
            counts: Counts { waiting, ..Counts::new(counts) },
            outcomes: outcomes(counts),
        }
    }
}

impl Counts {
    /// Those of all apps together.
    fn of_all(view: &ImportView) -> Self {
        let waiting = view.counts.iter().map(|(slug, counts)| waiting_rows(view, slug, counts)).sum();
        Self { waiting, ..Self::new(&RowCounts::of_all(&view.counts)) }
    }

    fn new(counts: &RowCounts) -> Self {
        Self {
            queued: counts.queued,
            waiting: 0,
            done: counts.in_state(RowState::Done),
            skipped: counts.in_state(RowState::Skipped),
            failed: counts.in_state(RowState::Failed),
            undone: counts.in_state(RowState::Undone),
            kept: counts.in_state(RowState::Kept),
        }
    }
}

/// How many rows of this app wait.
fn waiting_rows(view: &ImportView, slug: &str, counts: &RowCounts) -> u64 {
    let found = view.waiting.iter().find(|(waiting, _)| waiting.as_str() == slug);
    found.map_or(0, |(_, waiting)| rows(waiting, counts))
}

/// How many of an app's rows wait.
fn rows(waiting: &Waiting, counts: &RowCounts) -> u64 {
    match waiting.rows {
        WaitingRows::All => counts.queued,
        WaitingRows::Some(rows) => rows.min(counts.queued),
    }
}

fn outcomes(counts: &RowCounts) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (outcome, count) in counts.settled.values().flatten() {
        *sum.entry(outcome.clone()).or_default() += count;
    }
    sum
}

fn seconds_left(view: &ImportView, queued: u64) -> Option<u64> {
    let queued = f64::from(u32::try_from(queued).unwrap_or(u32::MAX));
    let rate = view.rate.filter(|rate| *rate > 0.1 && view.record.state == ImportState::Running)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time that is shown to people")]
    Some((queued / rate).ceil() as u64)
}

impl ImportRow {
    pub(crate) fn new(view: RowView) -> Self {
        let RowView { row, waits, why } = view;
        let since = why.as_ref().filter(|_| waits).map(|why| why.since.to_string());
        let until = why.as_ref().filter(|_| waits).and_then(|why| why.until);
        Self {
            row: row.number,
            line: row.line,
            linked_account_id: row.account.map(Into::into),
            slug: row.slug,
            state: if waits { "waiting" } else { row.state.as_str() },
            outcome: row.outcome,
            detail: row.detail.or_else(|| why.as_ref()?.detail.clone()),
            waiting_since: since,
            next_try_at: until.map(|until| until.to_string()),
            column: row.column,
            fields: row.fields,
            warnings: row.warnings,
            attempts: row.attempts.max(why.map_or(0, |why| why.attempts)),
            took_ms: row.took_ms,
            settled_at: row.settled_at.map(|at| at.to_string()),
        }
    }
}
