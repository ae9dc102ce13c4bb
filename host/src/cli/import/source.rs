//! The bytes of a file to import, decrypted if age has encrypted it.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::error::CliError;
use keyferry_types::bounded_file::{self, SMALL};
use keyferry_types::path_text::ShowPath as _;

/// The first bytes of each file that age has encrypted, in binary and as text (<https://age-encryption.org/v1>).
const BINARY: &[u8] = b"age-encryption.org/v1";
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// Commands of `keyferry imports`.
const OF_IMPORTS: [&str; 11] =
    ["list", "show", "watch", "results", "pause", "resume", "cancel", "retry-failed", "undo", "confirm", "delete"];

/// Files with the keys of encrypted files.
#[derive(Clone, Default)]
pub(in crate::cli) struct Identities(Arc<Vec<PathBuf>>);

/// The bytes to import, and their number if it is known beforehand.
pub(in crate::cli) struct Source {
    pub(in crate::cli) reader: Box<dyn Read + Send>,
    pub(in crate::cli) bytes: Option<u64>,
    /// Of an encrypted file: the recipient that belongs to the key which opened it.
    pub(in crate::cli) recipient: Option<age::x25519::Recipient>,
}

/// The bytes of a file.
type Bytes = BufReader<Box<dyn Read + Send>>;

/// A key, and the recipient that belongs to it.
struct Key {
    identity: Box<dyn age::Identity + Send + Sync>,
    recipient: Option<age::x25519::Recipient>,
}

impl Identities {
    pub(in crate::cli) fn new(files: Vec<PathBuf>) -> Self {
        Self(Arc::new(files))
    }

    fn read(&self) -> Result<Vec<Key>, CliError> {
        let mut keys = Vec::new();
        for path in self.0.iter() {
            let wrong = |error: &dyn std::fmt::Display| format!("--identity {}: {error}", path.shown());
            let file = bounded_file::read_input(path, SMALL).map_err(|error| wrong(&error))?;
            let read = age::IdentityFile::from_buffer(file.bytes.as_slice()).map_err(|error| wrong(&error))?;
            let mut recipients = Vec::new();
            // A file without keys has no recipients, which is an error only where the file to import cannot be opened.
            let _ = read.write_recipients_file(&mut recipients);
            let recipients = String::from_utf8(recipients).unwrap_or_default();
            let mut recipients = recipients.lines().map(|line| line.parse().ok());
            for identity in read.into_identities().map_err(|error| wrong(&error))? {
                keys.push(Key { identity, recipient: recipients.next().flatten() });
            }
        }
        Ok(keys)
    }
}

/// Whether it is standard input, which can be read once only.
pub(in crate::cli) fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// Whether it can be read once only: standard input, or a pipe such as `<(gpg -d rows.csv.gpg)`.
pub(in crate::cli) fn is_read_once(file: &Path) -> bool {
    is_stdin(file) || file.metadata().is_ok_and(|metadata| !metadata.is_file())
}

/// Opens a file, or standard input.
pub(in crate::cli) fn open(file: &Path, identities: &Identities) -> Result<Source, CliError> {
    let (mut reader, bytes) = bytes(file)?;
    let begins = reader.fill_buf().map_err(|error| format!("{}: {error}", file.shown()))?;
    if begins.starts_with(ARMOR) {
        return Err(format!(
            "{} is encrypted as text; `age -d` opens it: pipe that into this command, with `-` as the file",
            file.shown()
        )
        .into());
    }
    if !begins.starts_with(BINARY) {
        return Ok(Source { reader: Box::new(reader), bytes, recipient: None });
    }
    let keys = identities.read()?;
    if keys.is_empty() {
        return Err(format!("{} is encrypted: name the key to it by --identity", file.shown()).into());
    }
    let cannot = |error: age::DecryptError| format!("{} cannot be decrypted: {error}", file.shown());
    // The key that opens the file is found by trying one key at a time, each on the file opened again.
    if !is_read_once(file) {
        for key in keys {
            let (reader, _) = self::bytes(file)?;
            let decryptor = age::Decryptor::new_buffered(reader).map_err(cannot)?;
            match decryptor.decrypt(std::iter::once(&*key.identity as &dyn age::Identity)) {
                Ok(reader) => return Ok(Source { reader: Box::new(reader), bytes: None, recipient: key.recipient }),
                Err(age::DecryptError::NoMatchingKeys) => {}
                Err(error) => return Err(cannot(error).into()),
            }
        }
        return Err(cannot(age::DecryptError::NoMatchingKeys).into());
    }
    let decryptor = age::Decryptor::new_buffered(reader).map_err(cannot)?;
    let identities = keys.iter().map(|key| &*key.identity as &dyn age::Identity);
    let reader = decryptor.decrypt(identities).map_err(cannot)?;
    // What is in it is a little less than the file.
    Ok(Source { reader: Box::new(reader), bytes: None, recipient: None })
}

/// The bytes of a file as they are, and how many there are, where that is known beforehand.
fn bytes(file: &Path) -> Result<(Bytes, Option<u64>), CliError> {
    if is_stdin(file) {
        return Ok((BufReader::new(Box::new(io::stdin())), None));
    }
    if file.is_dir() {
        return Err(format!("{} is a folder; name the files in it", file.shown()).into());
    }
    let (reader, bytes) = bounded_file::open_input(file).map_err(|error| {
        // `import list`, say, where `imports list` is meant.
        let command = file.to_str().filter(|name| error.kind() == io::ErrorKind::NotFound && OF_IMPORTS.contains(name));
        let hint = command.map(|name| format!("; is `keyferry imports {name}` meant?")).unwrap_or_default();
        format!("{}: {error}{hint}", file.shown())
    })?;
    Ok((BufReader::new(Box::new(reader)), bytes))
}
