//! Standard output, and whether all of a result was written to it.

use std::io::{self, ErrorKind, StdoutLock, Write};
use std::sync::OnceLock;

/// The first failure of a write.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Standard output. A write that fails is remembered, so that the command ends with an error; a closed pipe (`| head`) is none.
pub(super) struct Stdout(StdoutLock<'static>);

/// Standard output, locked.
pub(super) fn stdout() -> Stdout {
    Stdout(io::stdout().lock())
}

/// Why a result was not written completely.
pub(super) fn failure() -> Option<&'static io::Error> {
    let _ = stdout().flush();
    FAILURE.get()
}

fn noted<T>(result: io::Result<T>) -> io::Result<T> {
    result.inspect_err(|error| {
        if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::Interrupted) {
            // The first one is the cause.
            let _ = FAILURE.set(error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error));
        }
    })
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        noted(self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        noted(self.0.flush())
    }
}
