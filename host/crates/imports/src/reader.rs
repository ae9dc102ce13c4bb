//! [`Reader`]: rows of a file made rows of the ledger, their credentials sealed.

use std::io::Read;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::app_names::{AppMeant, app_meant, is_name_of_app, shown_slug};
use super::error::ImportError;
use super::importer::Importer;
use super::input::{InputRow, ReadOptions, Rows, UnknownNames, argument};
use super::row_worker::context;
use keyferry_service::ServiceError;
use keyferry_store::{ImportKey, NewRow, RowInput, RowRecord, RowState, Timestamp};
use keyferry_types::ids::{FieldName, Slug};
use keyferry_types::secret::Secret;
use keyferry_vault::{SizeLimit, VaultError};

/// Rows of a chunk, and bytes of their credentials after which it is closed.
const ROWS: usize = 256;
const BYTES: usize = 256 * 1024;

/// The properties of a file that was read completely.
pub(super) struct Received {
    pub(super) digest: [u8; 32],
    pub(super) bytes: u64,
    pub(super) rows: u64,
    pub(super) ending_soon: u64,
}

/// Reads rows and seals their credentials, on a thread that may block.
pub(super) struct Reader {
    pub(super) importer: Arc<Importer>,
    pub(super) key: ImportKey,
    pub(super) chunks: mpsc::Sender<Vec<NewRow>>,
}

impl Reader {
    pub(super) fn read(self, file: impl Read + Send + 'static, options: ReadOptions) -> Result<Received, ImportError> {
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
                    slug: bad.slug.map(|slug| shown_slug(&self.importer.credentials, &slug)),
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
        let written = if is_named { row.slug.clone() } else { shown_slug(&self.importer.credentials, &row.slug) };
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
        let spelled = app_meant(&self.importer.credentials, &row.slug);
        let app = match &spelled {
            AppMeant::Known(slug) => self.importer.credentials.app(slug),
            AppMeant::Near(_) | AppMeant::Unknown => self.importer.credentials.app(&row.slug),
        };
        let slug = match app {
            Ok(app) => {
                let (slug, schema) = (&app.description.slug, &app.description.schema);
                row.match_spelling(schema);
                row.normalize_field_names(schema);
                if let Some(UnknownNames { detail, fields }) = row.unknown_names(slug.as_str(), schema, in_file) {
                    return failed_in("invalid_content", detail, fields);
                }
                slug.clone()
            }
            Err(error @ ServiceError::UnknownApp { .. }) => {
                let code = error.code();
                let is_shown = is_name_of_app(&row) || shown_slug(&self.importer.credentials, &row.slug) == row.slug;
                let error = match error {
                    ServiceError::UnknownApp { .. } if is_name_of_app(&row) => {
                        ServiceError::UnknownApp { slug: row.slug.clone(), aside: String::new() }
                    }
                    error => error,
                };
                let hint = match spelled {
                    AppMeant::Near(near) if is_shown => {
                        format!("; `{near}` may be meant: {}", argument(&format!("slug:{}={near}", row.slug)))
                    }
                    AppMeant::Near(near) => format!("; `{near}` may be meant"),
                    AppMeant::Known(_) | AppMeant::Unknown => String::new(),
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
            // A row that is too large fails alone.
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

    fn seal(&self, number: u64, auth_object: &Secret) -> Result<(u32, Vec<u8>), ImportError> {
        let name: FieldName = "auth_object".parse().map_err(|error| ImportError::Inside(Box::new(error)))?;
        let envelope = self.importer.vault.seal(&context(&self.key, number), &[(name, auth_object)])?;
        Ok((envelope.key_id().get(), envelope.into_bytes()))
    }
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
