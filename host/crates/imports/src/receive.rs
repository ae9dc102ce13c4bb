//! Receiving a file into the ledger: it is read as it arrives, and its rows are worked on once all of it is stored.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::{mpsc, watch};

use super::error::{ImportError, UploadError};
use super::importer::{Importer, audit};
use super::input::ReadOptions;
use super::job::Work;
use super::reader::{Reader, Received};
use keyferry_service::{BackgroundWork, Caller, ServiceError, Throttle, keys};
use keyferry_store::{
    AuditAction, ImportKey, ImportPolicy, ImportRecord, ImportState, ImportWrite, NewRow, ObjectId, Restore, SameFile,
    StoreResult, Timestamp, Work as Claimed,
};

/// Parts of a file that wait for being read, and chunks of rows that wait for being stored.
const WAITING: usize = 4;
/// Rows of a transaction while requests arrive steadily: a request that arrives during it waits for all of it.
const FEW: usize = 32;
/// How long an error waits for the deletion of what was stored before it. The rows of a large file are deleted after the response.
const DELETION_WAIT: Duration = Duration::from_secs(2);
/// `Retry-After` when too many files are being received.
const RETRY: Duration = Duration::from_secs(5);

/// A request to import a file.
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

impl Importer {
    /// Receives a file and begins work on its rows. When it returns `Ok`, all of the file is in the ledger; after an error,
    /// nothing of it is, or its deletion has begun.
    ///
    /// # Errors
    /// If the file does not arrive completely, cannot be read, has no rows, or was imported before.
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
        // Before it is there: another server would take it for one that was left, and delete it.
        self.store.claim(&Claimed::Import(record.key.clone())).await?;
        let put = self.store.put_import(ImportWrite { record: record.clone(), audit: None }).await;
        if put.is_err() {
            self.release(&record.key).await;
        }
        put?;
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
                self.begin(record.key.clone(), Work::Delete);
                // A caller that lists imports after this error does not see this one.
                let _ = tokio::time::timeout(DELETION_WAIT, self.ended(&record.key)).await;
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

    /// Runs three steps concurrently: parts arrive, rows are read and sealed, chunks of rows are stored. Each is slowed down to the
    /// speed of the next one.
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
                // The reader must not take the parts so far for the whole file.
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
