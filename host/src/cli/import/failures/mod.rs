//! Failed rows as a file that can be corrected and imported again, in the form of the file that they come from. It holds
//! credentials, as that one does, and only its owner can read it.
//!
//! | file | answers |
//! |---|---|
//! | `ledger` | what does the server say of rows that failed? |
//! | `output` | how are they written down? |
//! | `place` | where, without loss of a file that a person has worked on? |

mod ledger;
mod output;
mod place;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::CliError;
use super::super::client::Server;
use super::follow::{count, text};
use super::source::{Identities, Source, is_read_once, open};
use keyferry_imports::input::{InputRow, Original, ReadOptions, RowFormat, Rows};
use keyferry_types::path_text::ShowPath as _;
use ledger::Failed;
use output::Output;
use place::Draft;

/// How the default names end, after the name of the file.
const ENDS: [&str; 6] = [
    ".failures.csv",
    ".failures.ndjson",
    ".failures.json",
    ".failures.csv.age",
    ".failures.ndjson.age",
    ".failures.json.age",
];

/// What became of the failed rows.
pub(super) enum Written {
    /// They are in that file.
    File { path: PathBuf, rows: u64, repeated: u64, asked: PathBuf },
    /// No rows failed. Files of earlier runs are removed, or kept where they were changed.
    Nothing { repeated: u64, removed: Vec<PathBuf>, kept: Vec<PathBuf> },
    /// They could not be written, since the file can be read once only.
    ReadOnce,
}

/// Writes the failed rows of an import beside its file, or removes what an earlier run has written there.
pub(super) async fn write(
    server: &Server,
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
    let failed = ledger::failed(server, text(import, "id")).await?;
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
        None => ENDS.iter().map(|end| beside(file, end)).collect(),
    };
    let place::Cleared { removed, kept } = place::clear(targets)?;
    Ok(Written::Nothing { repeated, removed, kept })
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// Failed rows that are to be found in a file and written down.
struct Job {
    file: PathBuf,
    asked: Option<PathBuf>,
    identities: Identities,
    reading: ReadOptions,
    /// Of the file as it was imported.
    digest: String,
    failed: BTreeMap<u64, Failed>,
}

impl Job {
    fn run(self) -> Result<Written, CliError> {
        if is_read_once(&self.file) {
            return self.without_rows();
        }
        let Source { reader, recipient, .. } = open(&self.file, &self.identities)?;
        // By its content alone, as the server has read it.
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
        let (mut repeats, mut written) = (Repeats::of(&self.failed), 0);
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
        Ok(Written::File { path, rows: written, repeated: repeats.count, asked: target })
    }

    /// What the ledger knows, without the credentials.
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
        Ok(Written::File { path, rows: self.failed.len() as u64, repeated: 0, asked: target })
    }

    fn changed(&self) -> CliError {
        let file = self.file.shown();
        format!("{file} has changed since it was imported, so its failed rows cannot be found in it").into()
    }
}

/// Failed rows cannot be written there.
fn unwritten(target: &Path, error: &io::Error) -> String {
    format!("the failed rows cannot be written to {}: {error}; name another file by --failures", target.shown())
}

/// Failed rows that say exactly what another row says: correcting them is of no use.
struct Repeats {
    /// Rows that others are for the same account and app as, and what they say.
    first: HashMap<u64, [u8; 32]>,
    wanted: HashSet<u64>,
    written: HashSet<[u8; 32]>,
    count: u64,
}

impl Repeats {
    fn of(failed: &BTreeMap<u64, Failed>) -> Self {
        let wanted = failed.values().filter_map(Failed::repeats).collect();
        Self { first: HashMap::new(), wanted, written: HashSet::new(), count: 0 }
    }

    fn wants(&self, number: u64) -> bool {
        self.wanted.contains(&number)
    }

    fn is_repeated(
        &mut self,
        number: u64,
        about: Option<&Failed>,
        row: Option<&keyferry_imports::input::Row>,
        original: &Original<'_>,
    ) -> io::Result<bool> {
        let Some(digest) = digest(row, original)? else { return Ok(false) };
        if self.wants(number) {
            self.first.insert(number, digest);
        }
        let Some(about) = about else { return Ok(false) };
        let is_repeated = about.repeats().is_some_and(|first| self.first.get(&first) == Some(&digest))
            || !self.written.insert(digest);
        self.count += u64::from(is_repeated);
        Ok(is_repeated)
    }
}

/// A digest of all that a row says; `None` for a row that was not kept.
fn digest(row: Option<&keyferry_imports::input::Row>, original: &Original<'_>) -> io::Result<Option<[u8; 32]>> {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    match (row, original) {
        (Some(row), _) => {
            part(row.account.as_str().as_bytes());
            part(row.slug.as_bytes());
            part(&row.auth_object.canonical());
            part(row.name.as_deref().unwrap_or_default().as_bytes());
            part(row.updated_at.map(|at| at.to_string()).unwrap_or_default().as_bytes());
        }
        (None, Original::Json(bytes)) => part(bytes.trim_ascii()),
        (None, Original::Record(cells)) => cells.iter().for_each(|cell| part(cell)),
        (None, Original::Lost) => return Ok(None),
    }
    Ok(Some(hash.finalize().into()))
}

/// A file, encrypted where its source is.
enum Sealed {
    Plain(Draft),
    Age(Box<age::stream::StreamWriter<Draft>>),
}

impl Sealed {
    fn new(draft: Draft, recipient: Option<age::x25519::Recipient>) -> Result<Self, CliError> {
        let Some(recipient) = recipient else { return Ok(Self::Plain(draft)) };
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        Ok(Self::Age(Box::new(age::Encryptor::with_recipients(recipients)?.wrap_output(draft)?)))
    }

    fn finish(self) -> io::Result<Draft> {
        match self {
            Self::Plain(draft) => Ok(draft),
            Self::Age(writer) => writer.finish(),
        }
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(draft) => draft.write(bytes),
            Self::Age(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(draft) => draft.flush(),
            Self::Age(writer) => writer.flush(),
        }
    }
}
