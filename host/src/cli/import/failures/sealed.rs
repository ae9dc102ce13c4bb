//! The file of failed rows, encrypted if the imported file was.

use std::io::{self, Write};

use super::target::Draft;
use crate::cli::error::CliError;

/// A draft, encrypted for the recipient of the imported file if there is one.
pub(super) enum Sealed {
    Plain(Draft),
    Age(Box<age::stream::StreamWriter<Draft>>),
}

impl Sealed {
    pub(super) fn new(draft: Draft, recipient: Option<age::x25519::Recipient>) -> Result<Self, CliError> {
        let Some(recipient) = recipient else { return Ok(Self::Plain(draft)) };
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        Ok(Self::Age(Box::new(age::Encryptor::with_recipients(recipients)?.wrap_output(draft)?)))
    }

    pub(super) fn finish(self) -> io::Result<Draft> {
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
