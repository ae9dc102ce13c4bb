//! Where a backup is written to: a file that appears when it is complete, or standard output. Encrypted by age, if that is asked for.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::cli::error::CliError;
use keyferry_types::path_text::ShowPath as _;

/// A file that is not there yet, or standard output.
enum Place {
    File(NamedTempFile, PathBuf),
    Stdout(io::Stdout),
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file, _) => file.write(bytes),
            Self::Stdout(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.flush(),
            Self::Stdout(out) => out.flush(),
        }
    }
}

/// What takes the bytes of a backup.
pub(super) struct Output(Form);

enum Form {
    Plain(Place),
    Encrypted(Box<age::stream::StreamWriter<Place>>),
}

impl Output {
    /// Begins to write: `-` is standard output.
    pub(super) fn begin(file: &Path, recipients: &[age::x25519::Recipient]) -> Result<Self, CliError> {
        let place = match file == Path::new("-") {
            true if io::stdout().is_terminal() => {
                return Err("a backup is no text for a terminal: name a file, or pipe it into a program".into());
            }
            true => Place::Stdout(io::stdout()),
            false => {
                if file.symlink_metadata().is_ok() {
                    return Err(format!("{} exists already: a backup replaces no file", file.shown()).into());
                }
                // Its owner alone may read it. A backup that breaks off leaves nothing under its name.
                let temporary = NamedTempFile::with_prefix_in(".keyferry-backup-", folder(file));
                let temporary = temporary.map_err(|error| format!("cannot write {}: {error}", file.shown()))?;
                Place::File(temporary, file.to_owned())
            }
        };
        if recipients.is_empty() {
            return Ok(Self(Form::Plain(place)));
        }
        let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
        Ok(Self(Form::Encrypted(Box::new(age::Encryptor::with_recipients(recipients)?.wrap_output(place)?))))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Form::Plain(place) => place.write_all(bytes),
            Form::Encrypted(writer) => writer.write_all(bytes),
        }
    }

    /// Brings all of it to disk, and gives the file its name.
    pub(super) fn finish(self) -> Result<(), CliError> {
        let place = match self.0 {
            Form::Plain(place) => place,
            Form::Encrypted(writer) => writer.finish()?,
        };
        match place {
            Place::Stdout(mut out) => Ok(out.flush()?),
            Place::File(temporary, file) => {
                temporary.as_file().sync_all()?;
                let named = temporary.persist_noclobber(&file);
                named.map_err(|error| format!("cannot write {}: {}", file.shown(), error.error))?;
                Ok(File::open(folder(&file))?.sync_all()?)
            }
        }
    }
}

/// The folder of a file.
fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
