//! [`RowWorker`]: one attempt at one row, and its settlement.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::importer::Importer;
use super::job::Job;
use super::outcome::{Blocked, MOST_WARNINGS, Outcome, WAIT};
use super::rate_controller::ProviderOutcome;
use super::retry_queue::StartedRow;
use keyferry_sandbox::{Contact, Digest, Reached};
use keyferry_schema::Input;
use keyferry_service::{Caller, CountedFor, RowMigrated, RowMigration, RowStored, ServiceError, keys};
use keyferry_store::{
    Again, ImportKey, ImportMode, ImportPolicy, ImportRecord, MissingAccounts, OnExisting, RowEffect, RowInput,
    RowRecord, RowSettlement, RowState, StoreError, StoreResult, Timestamp,
};
use keyferry_types::ids::Slug;
use keyferry_vault::{Envelope, RowContext, VaultError};

/// A row that is being worked on, and what has happened to it so far.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) input: RowInput,
    pub(super) row: StartedRow,
}

/// The result of an attempt.
#[derive(Debug)]
pub(super) enum Worked {
    /// The row is settled.
    Settled { state: RowState, contact: Option<Contact> },
    /// The row is not settled: this is its outcome, and another attempt can help.
    Retry(Outcome),
    /// A condition of this server stops all rows.
    Blocked(Blocked),
    /// It was not begun, since the import stops.
    NotBegun,
}

/// The result of verifying a formerly verified row again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The host has responded, whatever it said.
    Answered,
    /// It has failed this row, too.
    Failed,
    /// Nothing was sent; it is worth trying again after that time.
    NotSent(Duration),
}

/// What the sealed credential of a queued row is bound to.
pub(super) fn context(import: &ImportKey, number: u64) -> RowContext {
    let ImportKey { org, environment, id } = import;
    RowContext { org: org.clone(), environment: *environment, import: id.to_string(), number }
}

/// A row's `auth_object`, of the text that was sealed. Rows that an earlier version took in are JSON.
fn stored_input(text: &str) -> Option<Input> {
    Input::from_compact(text).or_else(|| serde_json::from_str(text).ok())
}

/// The placeholder for the API key of an import from before the key was stored with imports.
fn of_former(key: &ImportKey, actor: &str) -> [u8; 32] {
    *Digest::of(format!("imports of {} {} {actor}", key.org, key.environment).as_bytes()).as_bytes()
}

/// Works on single rows of one app.
pub(super) struct RowWorker {
    pub(super) importer: Arc<Importer>,
    pub(super) job: Arc<Job>,
    pub(super) record: Arc<ImportRecord>,
    pub(super) slug: Slug,
}

impl RowWorker {
    /// Makes one attempt, within the limit of concurrent rows. A panic settles this row only.
    pub(super) async fn attempt(&self, pending: &mut Pending) -> Worked {
        match AssertUnwindSafe(self.attempt_once(pending)).catch_unwind().await {
            Ok(worked) => worked,
            Err(_) => self.settle(pending, &Outcome::inside()).await,
        }
    }

    async fn attempt_once(&self, pending: &mut Pending) -> Worked {
        let Ok(_turn) = self.importer.rows.acquire().await else { return Worked::NotBegun };
        if self.job.is_stopping() {
            return Worked::NotBegun;
        }
        // The future of an attempt is large, and most started rows wait for a permit.
        Box::pin(self.work(pending)).await
    }

    async fn work(&self, pending: &mut Pending) -> Worked {
        pending.row.first_attempt.get_or_insert_with(Instant::now);
        pending.row.attempts += 1;
        let settle = |about: RowStored<'_>| self.stored(pending, &about);
        let migrated = match self.migration(&pending.input).await {
            Ok(row) => self.importer.credentials.migrate_row(&row, &settle).await,
            Err(error) => Err(error),
        };
        let outcome = match migrated {
            Ok(RowMigrated::Stored(stored, contact)) => {
                return Worked::Settled { state: Outcome::stored(&stored).state, contact };
            }
            Ok(RowMigrated::SettledBefore) => return Worked::Settled { state: RowState::Done, contact: None },
            Ok(RowMigrated::Skipped(skip)) => Outcome::skipped(skip),
            Ok(RowMigrated::Checked(verdict, warnings)) => Outcome { warnings, ..Outcome::checked(&verdict) },
            Err(error) => match Outcome::refused(&error) {
                Ok(outcome) => outcome,
                Err(blocked) => return Worked::Blocked(blocked),
            },
        };
        if outcome.again == Again::Possible && outcome.provider != ProviderOutcome::Fine {
            return Worked::Retry(outcome);
        }
        self.settle(pending, &outcome).await
    }

    /// The input of a queued row; `None` if the row is settled.
    pub(super) async fn load(&self, number: u64) -> StoreResult<Option<RowInput>> {
        let Importer { store, .. } = &*self.importer;
        let found = store.queued_rows(self.record.key.id, &self.slug, number.checked_sub(1), 1).await?;
        Ok(found.into_iter().find(|input| input.number == number))
    }

    /// Whether the host still responds to a row that was verified there before. Nothing is stored.
    pub(super) async fn ask_again(&self, input: &RowInput, host: &str) -> Asked {
        let Ok(mut row) = self.migration(input).await else { return Asked::NotSent(WAIT) };
        let (mode, on_existing, accounts) = (ImportMode::DryRun, OnExisting::Update, MissingAccounts::Create);
        row.policy = ImportPolicy { mode, on_existing, accounts, ..row.policy };
        let pending = Pending { input: input.clone(), row: StartedRow::new(input.number) };
        let settle = |about: RowStored<'_>| self.stored(&pending, &about);
        let migrated = Box::pin(self.importer.credentials.migrate_row(&row, &settle)).await;
        let Ok(RowMigrated::Checked(verdict, _)) = migrated else { return Asked::NotSent(WAIT) };
        let Outcome { provider, contact, .. } = Outcome::checked(&verdict);
        match contact {
            Some(Contact { reached: Reached::HeldBack(wait) | Reached::Crowded(wait), .. }) => Asked::NotSent(wait),
            Some(contact) if provider == ProviderOutcome::Fine && &*contact.host == host => Asked::Answered,
            _ => Asked::Failed,
        }
    }

    /// Settles a row for which nothing is stored.
    pub(super) async fn settle(&self, pending: &Pending, outcome: &Outcome) -> Worked {
        let row = self.row(pending, outcome, Timestamp::now(), None);
        let settlement = self.settlement(row, outcome.again);
        match self.importer.store.settle_row(settlement).await {
            Ok(()) | Err(StoreError::RowSettled) => {
                Worked::Settled { state: outcome.state, contact: outcome.contact.clone() }
            }
            Err(error) => Worked::Blocked(Blocked { reason: error.to_string(), wait: WAIT }),
        }
    }

    /// The row with its credential opened.
    async fn migration(&self, input: &RowInput) -> Result<RowMigration, ServiceError> {
        let ImportRecord { key, actor, made_by, policy, .. } = &*self.record;
        let Importer { store, vault, .. } = &*self.importer;
        keys::unlock(store.as_ref(), vault, &key.org).await?;
        let envelope = Envelope::from_bytes(input.envelope.as_slice()).map_err(VaultError::from)?;
        let opened = vault.open(&context(key, input.number), &envelope)?;
        let auth_object = opened.first().and_then(|(_, value)| stored_input(value.expose()));
        Ok(RowMigration {
            caller: Caller {
                org: key.org.clone(),
                environment: key.environment,
                actor: actor.clone(),
                counted: CountedFor::ApiKey(made_by.unwrap_or_else(|| of_former(key, actor))),
            },
            account: input.account.clone(),
            account_name: input.account_name.clone(),
            slug: self.slug.clone(),
            // The text was written by this server and can be read back; otherwise it fits no app.
            auth_object: auth_object.unwrap_or(Input::Null),
            updated_at: input.updated_at,
            policy: *policy,
            request_id: format!("import {} row {}", key.id, input.number),
        })
    }

    /// The settlement that is written with a stored credential.
    fn stored(&self, pending: &Pending, about: &RowStored<'_>) -> RowSettlement {
        let effect = RowEffect {
            integration: about.stored.revision.id,
            slug: self.slug.clone(),
            version: about.stored.revision.version,
            made_account: about.made_account,
        };
        let outcome = Outcome { warnings: about.warnings.to_vec(), ..Outcome::stored(about.stored) };
        let row = self.row(pending, &outcome, about.at, Some(effect));
        let former = about.former.cloned().map(Box::new);
        RowSettlement { former, ..self.settlement(row, Again::Never) }
    }

    fn row(&self, pending: &Pending, outcome: &Outcome, at: Timestamp, effect: Option<RowEffect>) -> RowRecord {
        let Pending { input, row: StartedRow { attempts, first_attempt, .. } } = pending;
        let took = first_attempt.map_or(0, |first| first.elapsed().as_millis());
        RowRecord {
            number: input.number,
            line: input.line,
            account: Some(input.account.clone()),
            slug: Some(self.slug.to_string()),
            state: outcome.state,
            outcome: Some(outcome.code.to_owned()),
            detail: outcome.shown_detail(),
            column: None,
            fields: outcome.fields.clone(),
            attempts: *attempts,
            took_ms: u64::try_from(took).unwrap_or(u64::MAX),
            settled_at: Some(at),
            effect,
            warnings: input.warnings.iter().chain(&outcome.warnings).take(MOST_WARNINGS).cloned().collect(),
        }
    }

    fn settlement(&self, row: RowRecord, again: Again) -> RowSettlement {
        RowSettlement { import: self.record.key.clone(), slug: self.slug.clone(), row, again, former: None }
    }
}
