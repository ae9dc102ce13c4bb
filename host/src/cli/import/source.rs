//! The bytes of a file that is imported: as they are, or decrypted where age has encrypted them.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::CliError;

/// How every file begins that age has encrypted, in binary and as text (<https://age-encryption.org/v1>).
const BINARY: &[u8] = b"age-encryption.org/v1";
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// Keys to open encrypted files with.
#[derive(Clone, Default)]
pub(super) struct Identities(Arc<Vec<PathBuf>>);

/// What is read, and how many bytes it has, where that is known beforehand.
pub(super) struct Source {
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) bytes: Option<u64>,
}

impl Identities {
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        Self(Arc::new(files))
    }

    fn read(&self) -> Result<Vec<Box<dyn age::Identity + Send + Sync>>, CliError> {
        let mut identities: Vec<Box<dyn age::Identity + Send + Sync>> = Vec::new();
        for path in self.0.iter() {
            let wrong = |error: &dyn std::fmt::Display| format!("--identity {}: {error}", path.display());
            let file = File::open(path).map_err(|error| wrong(&error))?;
            let read = age::IdentityFile::from_buffer(BufReader::new(file)).map_err(|error| wrong(&error))?;
            identities.extend(read.into_identities().map_err(|error| wrong(&error))?);
        }
        Ok(identities)
    }
}

/// Whether it is standard input, which can be read once only.
pub(super) fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// Opens a file, or standard input.
pub(super) fn open(file: &Path, identities: &Identities) -> Result<Source, CliError> {
    let (reader, bytes): (Box<dyn Read + Send>, Option<u64>) = if is_stdin(file) {
        (Box::new(io::stdin()), None)
    } else {
        let opened = File::open(file).and_then(|open| Ok((open.metadata()?, open)));
        let (metadata, open) = opened.map_err(|error| format!("{}: {error}", file.display()))?;
        if metadata.is_dir() {
            return Err(format!("{} is a folder; name the files in it", file.display()).into());
        }
        (Box::new(open), metadata.is_file().then_some(metadata.len()))
    };
    let mut reader = BufReader::new(reader);
    let begins = reader.fill_buf().map_err(|error| format!("{}: {error}", file.display()))?;
    if begins.starts_with(ARMOR) {
        return Err(
            format!("{} is encrypted as text; `age -d` opens it, pipe that into `import -`", file.display()).into()
        );
    }
    if !begins.starts_with(BINARY) {
        return Ok(Source { reader: Box::new(reader), bytes });
    }
    let identities = identities.read()?;
    if identities.is_empty() {
        return Err(format!("{} is encrypted: name the key to it by --identity", file.display()).into());
    }
    let cannot = |error: age::DecryptError| format!("{} cannot be decrypted: {error}", file.display());
    let decryptor = age::Decryptor::new_buffered(reader).map_err(cannot)?;
    let keys = identities.iter().map(|identity| &**identity as &dyn age::Identity);
    let reader = decryptor.decrypt(keys).map_err(cannot)?;
    // What is in it is a little less than the file.
    Ok(Source { reader: Box::new(reader), bytes: None })
}
