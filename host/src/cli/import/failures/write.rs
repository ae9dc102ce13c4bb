//! Writing the failed rows of an import to a file.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ledger::{FailedRow, failed_rows};
use super::output::Output;
use super::reasons::Reasons;
use super::repeats::Repeats;
use super::sealed::Sealed;
use super::target::{self, Draft};
use crate::cli::api_client::ApiClient;
use crate::cli::error::CliError;
use crate::cli::import::source::{Identities, Source, is_read_once, open};
use crate::cli::members::{count, text};
use keyferry_imports::input::{InputRow, Original, ReadOptions, RowFormat, Rows};
use keyferry_types::path_text::ShowPath as _;

/// The endings of default names, after the name of the imported file.
const ENDINGS: [&str; 6] = [
    ".failures.csv",
    ".failures.ndjson",
    ".failures.json",
    ".failures.csv.age",
    ".failures.ndjson.age",
    ".failures.json.age",
];

/// The result of writing failed rows.
pub(in crate::cli::import) enum Written {
    /// They are in that file.
    File { path: PathBuf, rows: u64, repeated: u64, asked: PathBuf, reasons: Reasons },
    /// No rows failed. Files of earlier runs are removed, or kept where they were changed.
    Nothing { repeated: u64, removed: Vec<PathBuf>, kept: Vec<PathBuf> },
    /// The rows could not be written, because the file can be read only once.
    ReadOnce,
}

/// Writes the failed rows of an import beside its file, or removes what an earlier run has written there.
pub(in crate::cli::import) async fn write(
    client: &ApiClient,
    import: &Value,
    file: &Path,
    identities: &Identities,
    asked: Option<&Path>,
    reading: &ReadOptions,
) -> Result<Written, CliError> {
    if count(import, "failed") == 0 {
        let is_over = text(import, "state") == "finished";
        return Ok(cleared(file, asked, 0, is_over)?);
    }
    if asked.is_none() && is_read_once(file) {
        return Ok(Written::ReadOnce);
    }
    let failed = failed_rows(client, text(import, "id")).await?;
    let job = Job {
        file: file.to_owned(),
        asked: asked.map(Path::to_owned),
        identities: identities.clone(),
        reading: reading.clone(),
        digest: text(import, "digest").trim_start_matches("sha256:").to_owned(),
        failed,
    };
    tokio::task::spawn_blocking(move || job.run()).await?
}

fn cleared(file: &Path, asked: Option<&Path>, repeated: u64, is_over: bool) -> io::Result<Written> {
    let targets: Vec<PathBuf> = match asked {
        _ if !is_over => Vec::new(),
        Some(path) => vec![path.to_owned()],
        None if is_read_once(file) => Vec::new(),
        None => ENDINGS.iter().map(|end| beside(file, end)).collect(),
    };
    let target::Cleared { removed, kept } = target::clear(targets)?;
    Ok(Written::Nothing { repeated, removed, kept })
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// Finds failed rows in a file and writes them.
struct Job {
    file: PathBuf,
    asked: Option<PathBuf>,
    identities: Identities,
    reading: ReadOptions,
    /// SHA-256 of the file when it was imported.
    digest: String,
    failed: BTreeMap<u64, FailedRow>,
}

impl Job {
    fn run(self) -> Result<Written, CliError> {
        if is_read_once(&self.file) {
            return self.without_rows();
        }
        let Source { reader, recipient, .. } = open(&self.file, &self.identities)?;
        // The format is detected by content, as on the server.
        let mut rows = Rows::new(reader, self.reading.clone());
        // The form is known once a row was read.
        let Some(first) = rows.next() else { return Err(self.changed()) };
        let mut row = Some(first);
        let sealed = if recipient.is_some() { ".age" } else { "" };
        let end = match rows.format() {
            Some(RowFormat::Csv) => ".failures.csv",
            Some(RowFormat::JsonArray) => ".failures.json",
            Some(RowFormat::Ndjson) | None => ".failures.ndjson",
        };
        let target = self.asked.clone().unwrap_or_else(|| beside(&self.file, &format!("{end}{sealed}")));
        let at = |error: io::Error| unwritten(&target, &error);
        let out = Sealed::new(Draft::beside(&target).map_err(at)?, recipient)?;
        let mut output = match rows.columns() {
            Some((names, delimiter)) => Output::csv(out, names, delimiter).map_err(at)?,
            None => Output::json(out, rows.format()).map_err(at)?,
        };
        let (mut repeats, mut written) = (Repeats::new(&self.failed), 0);
        while let Some(one) = row {
            let InputRow { number, content, .. } = one?;
            let original = rows.original();
            let about = self.failed.get(&number);
            if about.is_some() || repeats.wants(number) {
                let is_repeated = repeats.is_repeated(number, about, content.as_ref().ok(), &original)?;
                if let Some(about) = about.filter(|_| !is_repeated) {
                    output.row(number, about, &original).map_err(at)?;
                    written += 1;
                }
            }
            row = rows.next();
        }
        if rows.finish()?.to_string() != self.digest {
            return Err(self.changed());
        }
        if written == 0 {
            return Ok(cleared(&self.file, self.asked.as_deref(), repeats.count, true)?);
        }
        let path = output.finish().and_then(Sealed::finish).and_then(|draft| draft.publish(&target)).map_err(at)?;
        let reasons = Reasons::of(self.failed.values());
        Ok(Written::File { path, rows: written, repeated: repeats.count, asked: target, reasons })
    }

    /// Writes the rows of the ledger, which have no credentials.
    fn without_rows(self) -> Result<Written, CliError> {
        let Some(target) = self.asked else { return Ok(Written::ReadOnce) };
        let at = |error: io::Error| unwritten(&target, &error);
        let names = ["linked_account_id", "slug"].map(|name| name.as_bytes().to_vec());
        let mut output = Output::csv(Draft::beside(&target).map_err(at)?, &names, b',').map_err(at)?;
        for (number, about) in &self.failed {
            let cells = vec![about.account.as_bytes(), about.slug.as_bytes()];
            output.row(*number, about, &Original::Record(cells)).map_err(at)?;
        }
        let path = output.finish().and_then(|draft| draft.publish(&target)).map_err(at)?;
        let reasons = Reasons::of(self.failed.values());
        Ok(Written::File { path, rows: self.failed.len() as u64, repeated: 0, asked: target, reasons })
    }

    fn changed(&self) -> CliError {
        let file = self.file.shown();
        format!("{file} has changed since it was imported, so its failed rows cannot be found in it").into()
    }
}

/// The error if failed rows cannot be written to their file.
fn unwritten(target: &Path, error: &io::Error) -> String {
    format!("the failed rows cannot be written to {}: {error}; name another file by --failures", target.shown())
}
