//! How a file gets into the ledger: read as it arrives, each credential sealed, nothing worked on before all of it is here.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, watch};

use super::error::ImportError;
use super::importer::{Importer, Work, audit};
use super::input::{
    InputRow, Meant, Misnamed, Names, ReadOptions, Row, Rows, argument, fold, looks_secret, meant, usual,
};
use super::work::context;
use keyferry_service::{BackgroundWork, Caller, ServiceError, Throttle, keys};
use keyferry_store::{
    AuditAction, ImportKey, ImportPolicy, ImportRecord, ImportState, ImportWrite, NewRow, ObjectId, Restore, RowInput,
    RowRecord, RowState, SameFile, StoreResult, Timestamp,
};
use keyferry_types::echo::shown;
use keyferry_types::ids::{FieldName, Slug};
use keyferry_types::secret::Secret;
use keyferry_vault::{SizeLimit, VaultError};

/// Parts of a file that wait for being read, and chunks of rows that wait for being stored.
const WAITING: usize = 4;
/// Rows of a chunk, and bytes of their credentials after which it is closed.
const ROWS: usize = 256;
const BYTES: usize = 256 * 1024;
/// Rows of a transaction while requests keep coming: one that comes in its middle waits for all of it.
const FEW: usize = 32;
/// When to try again where many files are being received.
const RETRY: Duration = Duration::from_secs(5);

/// A file to import, and how.
#[derive(Debug)]
pub struct NewImport {
    /// The caller of the request.
    pub caller: Caller,
    /// The file's name, as its sender gives it.
    pub file: Option<String>,
    /// The options for reading the file.
    pub reading: ReadOptions,
    /// The policy for its rows.
    pub policy: ImportPolicy,
    /// Whether it may have been imported before.
    pub same_file: SameFile,
    /// The request's id, for the audit trail.
    pub request_id: String,
}

/// Why a file did not arrive.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum UploadError {
    #[error("{0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("nothing came for {} s", .0.as_secs())]
    Paused(Duration),
    #[error("the server is about to stop; send it again")]
    Stopping,
}

/// What was read of a file that is all here.
struct Received {
    digest: [u8; 32],
    bytes: u64,
    rows: u64,
    ending_soon: u64,
}

impl Importer {
    /// Takes a file in and begins to work on its rows. When it returns, all of the file is in the ledger; where it returns an
    /// error, nothing is.
    ///
    /// # Errors
    /// Where the file does not arrive whole, cannot be read, has no rows or was imported before.
    pub async fn receive<E>(
        self: &Arc<Self>,
        new: NewImport,
        body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<ImportRecord, ImportError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.credentials.allows(&new.policy).map_err(|error| match error {
            ServiceError::NotAllowed { preference } => ImportError::NotAllowed { what: preference },
            error => ImportError::of_keys(error),
        })?;
        let Ok(_upload) = self.uploads.try_acquire() else {
            return Err(ImportError::TooMany { uploads: self.settings.uploads, retry_after: RETRY });
        };
        let org = &new.caller.org;
        keys::unlock(self.store.as_ref(), &self.vault, org).await.map_err(ImportError::of_keys)?;
        let record = ImportRecord {
            key: ImportKey { org: org.clone(), environment: new.caller.environment, id: ObjectId::generate() },
            actor: new.caller.actor.clone(),
            made_by: Some(new.caller.counted.api_key()),
            file: new.file,
            digest: None,
            bytes: 0,
            rows: 0,
            from: Some(new.reading.preset.as_str().to_owned()),
            ending_soon: 0,
            policy: new.policy,
            state: ImportState::Receiving,
            reason: None,
            failures_seen: 0,
            restore: Restore::Possible,
            version: 1,
            created_at: Timestamp::now(),
            started_at: None,
            ended_at: None,
        };
        self.store.put_import(ImportWrite { record: record.clone(), audit: None }).await?;
        let started = match self.take_in(&record.key, new.reading, body).await {
            Ok(received) => self.start(record.clone(), received, new.same_file, new.request_id).await,
            Err(error) => Err(error),
        };
        match started {
            Ok(record) => {
                self.begin(record.key.clone(), Work::Rows);
                Ok(record)
            }
            Err(error) => {
                self.begin(record.key, Work::Delete);
                Err(error)
            }
        }
    }

    async fn start(
        &self,
        record: ImportRecord,
        received: Received,
        same_file: SameFile,
        request_id: String,
    ) -> Result<ImportRecord, ImportError> {
        let Received { digest, bytes, rows, ending_soon } = received;
        if rows == 0 {
            return Err(ImportError::Empty);
        }
        let now = Timestamp::now();
        let digest_shown = hex::encode(digest);
        let record = ImportRecord {
            digest: Some(digest),
            bytes,
            rows,
            ending_soon,
            state: ImportState::Running,
            version: record.version + 1,
            started_at: Some(now),
            ..record
        };
        let how = format!("{} {rows} rows sha256:{digest_shown}", record.policy.mode);
        let audit = audit(AuditAction::ImportStarted, &record.key, &record.actor, &how).for_request(&request_id);
        let write = ImportWrite { record: record.clone(), audit: Some(audit) };
        self.store.start_import(write, same_file).await?;
        Ok(record)
    }

    /// Three at once: parts arrive, rows are read and sealed, and chunks of them are stored. Each waits for the one after it.
    async fn take_in<E>(
        self: &Arc<Self>,
        key: &ImportKey,
        options: ReadOptions,
        mut body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<Received, ImportError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, arriving) = mpsc::channel(WAITING);
        let (chunks, mut waiting) = mpsc::channel(WAITING);
        let reader = Reader { importer: Arc::clone(self), key: key.clone(), chunks };
        let reading = tokio::task::spawn_blocking(move || reader.read(Arriving::new(arriving), options));
        let (pause, mut stopping) = (self.settings.upload_pause, self.stopping.subscribe());
        // It takes `parts` with it: the reader sees the end of the file when the last sender is dropped.
        let arriving = async move {
            loop {
                let error = tokio::select! {
                    () = is_set(&mut stopping) => UploadError::Stopping,
                    next = tokio::time::timeout(pause, body.next()) => match next {
                        Ok(None) => break Ok(()),
                        Ok(Some(Ok(part))) => match parts.send(Ok(part)).await {
                            Ok(()) => continue,
                            // The reader has seen enough.
                            Err(_) => break Ok(()),
                        },
                        Ok(Some(Err(error))) => UploadError::Broken(error.into()),
                        Err(_) => UploadError::Paused(pause),
                    },
                };
                // The reader must not take what has come for the whole file.
                let _ = parts.send(Err(io::ErrorKind::UnexpectedEof.into())).await;
                break Err(error);
            }
        };
        let storing = async {
            while let Some(rows) = waiting.recv().await {
                if let Err(error) = self.store_chunk(key, rows).await {
                    waiting.close();
                    return Err(error);
                }
            }
            Ok(())
        };
        let (arrived, stored, read) = tokio::join!(arriving, storing, reading);
        stored?;
        arrived.map_err(ImportError::Upload)?;
        read.unwrap_or_else(|panicked| Err(ImportError::Inside(Box::new(panicked))))
    }

    async fn store_chunk(&self, key: &ImportKey, mut rows: Vec<NewRow>) -> StoreResult<()> {
        while !rows.is_empty() {
            let most = match self.credentials.yield_to_foreground(BackgroundWork::File).await {
                Throttle::Free => rows.len(),
                Throttle::Short => FEW.min(rows.len()),
            };
            let later = rows.split_off(most);
            self.store.add_rows(key, rows).await?;
            rows = later;
        }
        Ok(())
    }
}

/// What a slug means that a file gives.
enum Spelled {
    /// The app is installed.
    Known(String),
    /// An installed app has a similar name.
    Near(String),
    Unknown,
}

/// Reads rows and seals their credentials, on a thread that may block.
struct Reader {
    importer: Arc<Importer>,
    key: ImportKey,
    chunks: mpsc::Sender<Vec<NewRow>>,
}

impl Reader {
    fn read(self, file: Arriving, options: ReadOptions) -> Result<Received, ImportError> {
        let mut rows = Rows::new(file, options);
        let (mut chunk, mut weight, mut count, mut ending_soon) = (Vec::new(), 0, 0, 0);
        let now = Timestamp::now();
        while let Some(row) = rows.next() {
            let mut row = row?;
            let end = row.content.as_ref().ok().and_then(|row| row.ends_soon(now));
            if let (Ok(row), Some(end)) = (&mut row.content, end) {
                let ends = if end < now { "ended" } else { "ends" };
                row.warnings.push(format!("the access token {ends} at {end}, and there is no refresh token"));
            }
            let new = self.new_row(row, &|field| rows.column_of(field))?;
            ending_soon += u64::from(end.is_some() && new.input.is_some());
            count += 1;
            if count > self.importer.settings.most_rows {
                return Err(ImportError::TooManyRows { most: self.importer.settings.most_rows });
            }
            weight += new.input.as_ref().map_or(0, |(_, input)| input.envelope.len());
            chunk.push(new);
            if chunk.len() >= ROWS || weight >= BYTES {
                weight = 0;
                self.send(std::mem::take(&mut chunk))?;
            }
        }
        if !chunk.is_empty() {
            self.send(chunk)?;
        }
        let bytes = rows.bytes_read();
        let digest = rows.finish()?;
        Ok(Received { digest: *digest.as_bytes(), bytes, rows: count, ending_soon })
    }

    /// After a failure to store a chunk the receiver is gone; the sender gets that failure as its error.
    fn send(&self, chunk: Vec<NewRow>) -> Result<(), ImportError> {
        self.chunks.blocking_send(chunk).map_err(|_| ImportError::Contended)
    }

    /// `in_file` gives the name of a field's column in the file.
    fn new_row(&self, row: InputRow, in_file: &dyn Fn(&str) -> Option<String>) -> Result<NewRow, ImportError> {
        let InputRow { number, line, content } = row;
        let empty = RowRecord {
            number,
            line,
            account: None,
            slug: None,
            state: RowState::Failed,
            outcome: None,
            detail: None,
            column: None,
            fields: Vec::new(),
            attempts: 0,
            took_ms: 0,
            settled_at: Some(Timestamp::now()),
            effect: None,
            warnings: Vec::new(),
        };
        let mut row = match content {
            Ok(row) => row,
            Err(bad) => {
                let row = RowRecord {
                    account: bad.account,
                    slug: bad.slug.map(|slug| self.shown_slug(&slug)),
                    outcome: Some(bad.kind.code().to_owned()),
                    detail: Some(bad.message),
                    column: bad.column,
                    fields: bad.field.into_iter().collect(),
                    ..empty
                };
                return Ok(NewRow { row, input: None, place: None });
            }
        };
        let (account, is_named) = (row.account.clone(), is_name_of_app(&row));
        let written = if is_named { row.slug.clone() } else { self.shown_slug(&row.slug) };
        let failed_in = |code: &str, detail: String, fields: Vec<String>| {
            let row = RowRecord {
                account: Some(account.clone()),
                slug: Some(written.clone()),
                outcome: Some(code.to_owned()),
                detail: Some(detail),
                fields,
                ..empty.clone()
            };
            Ok(NewRow { row, input: None, place: None })
        };
        let failed = |code: &str, detail: String| failed_in(code, detail, Vec::new());
        let spelled = self.spelled_slug(&row.slug);
        let app = match &spelled {
            Spelled::Known(slug) => self.importer.credentials.app(slug),
            Spelled::Near(_) | Spelled::Unknown => self.importer.credentials.app(&row.slug),
        };
        let slug = match app {
            Ok(app) => {
                let (slug, schema) = (&app.description.slug, &app.description.schema);
                row.spell(schema);
                row.fit(schema);
                if let Some(Misnamed { detail, fields }) = row.misnamed(slug.as_str(), schema, in_file) {
                    return failed_in("invalid_content", detail, fields);
                }
                slug.clone()
            }
            Err(error @ ServiceError::UnknownApp { .. }) => {
                let code = error.code();
                let is_shown = is_name_of_app(&row) || self.shown_slug(&row.slug) == row.slug;
                let error = match error {
                    ServiceError::UnknownApp { .. } if is_name_of_app(&row) => {
                        ServiceError::UnknownApp { slug: row.slug.clone(), aside: String::new() }
                    }
                    error => error,
                };
                let hint = match spelled {
                    Spelled::Near(near) if is_shown => {
                        format!("; `{near}` may be meant: {}", argument(&format!("slug:{}={near}", row.slug)))
                    }
                    Spelled::Near(near) => format!("; `{near}` may be meant"),
                    Spelled::Known(_) | Spelled::Unknown => String::new(),
                };
                return failed(code, format!("{error}{hint}"));
            }
            // It may serve by the time the row's turn comes.
            Err(ServiceError::AppNotInService { slug, reason }) => match slug.parse::<Slug>() {
                Ok(slug) => slug,
                Err(_) => return failed("app_not_in_service", reason),
            },
            Err(error) => return failed(error.code(), error.to_string()),
        };
        let (key_id, envelope) = match self.seal(number, &row.auth_object.to_compact()) {
            Ok(sealed) => sealed,
            // One row's size is that row's outcome, and no reason to refuse the file.
            Err(ImportError::Vault(VaultError::TooLarge(_))) => {
                return failed("too_large", SizeLimit::CREDENTIAL.to_string());
            }
            Err(error) => return Err(error),
        };
        let place = place(row.account.as_str(), slug.as_str());
        let waiting = RowRecord {
            account: Some(row.account.clone()),
            slug: Some(slug.to_string()),
            state: RowState::Queued,
            settled_at: None,
            warnings: row.warnings.clone(),
            ..empty
        };
        let input = RowInput {
            number,
            line,
            account: row.account,
            account_name: row.name,
            updated_at: row.updated_at,
            warnings: row.warnings,
            key_id,
            envelope,
        };
        Ok(NewRow { row: waiting, input: Some((slug, input)), place: Some(place) })
    }

    /// The app that a slug means, where it differs from the app's slug or name in case and separators only: `HubSpot`.
    fn spelled_slug(&self, written: &str) -> Spelled {
        let credentials = &self.importer.credentials;
        if !matches!(credentials.app(written), Err(ServiceError::UnknownApp { .. })) {
            return Spelled::Known(written.to_owned());
        }
        let apps = credentials.apps();
        let by_slug = meant(written, apps.iter().map(|app| app.description.slug.as_str()));
        let by_name = || {
            let folded = fold(written);
            let mut named = apps.iter().filter(|app| fold(&app.description.name) == folded);
            let one = named.next()?;
            named.next().is_none().then(|| one.description.slug.to_string())
        };
        match by_slug {
            Meant::Same(slug) => Spelled::Known(slug.to_owned()),
            Meant::Near(slug) => by_name().map_or_else(|| Spelled::Near(slug.to_owned()), Spelled::Known),
            Meant::Unknown => by_name().map(Spelled::Known).unwrap_or_else(|| {
                let usual = usual(written).filter(|slug| apps.iter().any(|app| app.description.slug.as_str() == *slug));
                usual.map_or(Spelled::Unknown, |slug| Spelled::Near(slug.to_owned()))
            }),
        }
    }

    /// A slug that is there, or nearly so; anything else could be a secret in the wrong column.
    fn shown_slug(&self, slug: &str) -> String {
        let apps = self.importer.credentials.apps();
        shown(slug, apps.iter().map(|app| app.description.slug.as_str())).to_owned()
    }

    fn seal(&self, number: u64, auth_object: &Secret) -> Result<(u32, Vec<u8>), ImportError> {
        let name: FieldName = "auth_object".parse().map_err(|error| ImportError::Inside(Box::new(error)))?;
        let envelope = self.importer.vault.seal(&context(&self.key, number), &[(name, auth_object)])?;
        Ok((envelope.key_id().get(), envelope.into_bytes()))
    }
}

/// Whether a row's value for its app can be shown though no app here has that name: it is a usual name of an app, or its place
/// is where another system keeps the name of its app, and no value is in its place.
fn is_name_of_app(row: &Row) -> bool {
    let is_theirs = matches!(row.names, Names::Foreign { .. }) && row.slug.parse::<Slug>().is_ok();
    usual(&row.slug).is_some() || is_theirs && !looks_secret("", &row.slug)
}

/// The key of an account and app among the rows of one import.
fn place(account: &str, slug: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update((account.len() as u64).to_be_bytes());
    hash.update(account);
    hash.update(slug);
    let hash: [u8; 32] = hash.finalize().into();
    let mut place = [0; 16];
    place.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    place
}

async fn is_set(flag: &mut watch::Receiver<bool>) {
    // If the sender is dropped, the process ends.
    let _ = flag.wait_for(|set| *set).await;
}

/// A file as it arrives, for a thread that may wait for it.
struct Arriving {
    parts: mpsc::Receiver<io::Result<Bytes>>,
    part: Bytes,
}

impl Arriving {
    fn new(parts: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self { parts, part: Bytes::new() }
    }
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            match self.parts.blocking_recv() {
                Some(part) => self.part = part?,
                None => return Ok(0),
            }
        }
        let length = self.part.len().min(buffer.len());
        self.part.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
