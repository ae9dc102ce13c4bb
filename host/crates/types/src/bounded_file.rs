//! Reads of files that the operator names: bounded in bytes and in time, whatever has taken the file's place.
//!
//! A FIFO blocks until another process writes to it, `/dev/zero` never ends, and a file on a hung network mount blocks `open` and
//! `read`. So each file is opened without blocking, must be a regular file, has a maximum size, and is read on a separate thread. A
//! thread that misses its deadline is abandoned; until it returns, further reads of the same path fail at once, so that at most one
//! thread per path is abandoned.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

mod deadline;
mod fault;

pub use deadline::{apart, within};
pub use fault::{FileFault, Kind, is_obstructed};

/// Time limit of a read. A local disk takes milliseconds, a network mount that works takes less than a second.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// Time limit of a pipe named on the command line to begin and, if it is read whole, to end.
const PIPE_PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a file that holds one line: a key, a token.
pub const LINE: u64 = 16 * 1024;
/// Bytes of a file of settings, headers, or of a certificate and its key.
pub const SMALL: u64 = 1024 * 1024;
/// Bytes of a file that grows with what it lists: grants, authorities.
pub const LARGE: u64 = 16 * 1024 * 1024;

/// Content and mode of a file that was read.
pub struct Content {
    /// Its bytes, wiped when dropped.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Its permissions at the moment of reading, asked of the open file: `0o600`.
    pub mode: u32,
}

impl Content {
    /// Its bytes as text, without the byte order mark that some editors write at the beginning.
    ///
    /// # Errors
    /// If the bytes are not UTF-8.
    pub fn text(&self) -> io::Result<&str> {
        let text = std::str::from_utf8(&self.bytes);
        let text = text.map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// Its bytes, to be kept. They are not wiped any more.
    pub fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes)
    }

    /// Whether users other than the owner can read or write it.
    pub fn is_exposed(&self) -> bool {
        self.mode & 0o077 != 0
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Reads a regular file in the calling thread, and never waits for a pipe. For folders of our own, where no mount hangs that the
/// store does not hang with.
///
/// # Errors
/// If it cannot be opened or read, is not a regular file, or has more than `most` bytes: its size is looked at before it is read.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Content> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // A socket cannot be opened at all, and says so in other words.
        Err(error) => return Err(kind_of(path).map_or(error, |kind| FileFault::NotRegular(kind).into())),
    };
    content(file, most)
}

/// The kind of the file at a path; `None` for a regular or missing file.
pub fn kind_of(path: &Path) -> Option<Kind> {
    Kind::of(std::fs::metadata(path).ok()?.file_type())
}

fn content(file: File, most: u64) -> io::Result<Content> {
    let meta = file.metadata()?;
    if let Some(kind) = Kind::of(meta.file_type()) {
        return Err(FileFault::NotRegular(kind).into());
    }
    if meta.len() > most {
        return Err(FileFault::TooLarge(most).into());
    }
    let bytes = read_to_end(file, most, meta.len())?;
    Ok(Content { bytes, mode: meta.mode() & 0o7777 })
}

/// Reads to the end, into memory that no growth leaves copies of where the length is known.
fn read_to_end(file: File, most: u64, expected: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let room = usize::try_from(expected.min(most)).unwrap_or_default().saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(FileFault::TooLarge(most).into());
    }
    Ok(bytes)
}

/// Reads a regular file, within [`PATIENCE`]. Blocks the calling thread.
///
/// # Errors
/// As [`read_regular`], and if it takes longer.
pub fn read(path: &Path, most: u64) -> io::Result<Content> {
    let named = path.to_owned();
    within(path, PATIENCE, move || read_regular(&named, most))
}

/// Reads a regular file, within [`PATIENCE`], apart from the threads that serve.
///
/// # Errors
/// As [`read`].
pub async fn read_apart(path: &Path, most: u64) -> io::Result<Content> {
    let named = path.to_owned();
    apart(path, PATIENCE, move || read_regular(&named, most)).await
}

/// Reads a file that is named on the command line: a regular one, or a pipe such as a shell makes of `<(command)`.
///
/// # Errors
/// As [`read`]; a pipe has 10 s to end.
pub fn read_input(path: &Path, most: u64) -> io::Result<Content> {
    let named = path.to_owned();
    match within(path, PATIENCE, move || Ok(kind_of(&named)))? {
        Some(Kind::Fifo) => {}
        _ => return read(path, most),
    }
    let named = path.to_owned();
    let whole = within(path, PIPE_PATIENCE, move || {
        let bytes = read_to_end(File::open(named)?, most, LINE)?;
        Ok(Content { bytes, mode: 0o600 })
    });
    whole.map_err(|error| of_pipe(error, "end"))
}

/// A reader of the content as it arrives, and the length of a regular file.
pub type Stream = (BufReader<File>, Option<u64>);

/// Opens a file that is named on the command line to be read as it comes: a regular one, or a pipe. Something has to have come from
/// it, or its end, before it counts as open.
///
/// # Errors
/// If it cannot be opened, is a folder or a device, or takes longer; a pipe has 10 s to begin.
pub fn open_input(path: &Path) -> io::Result<Stream> {
    let named = path.to_owned();
    let kind = within(path, PATIENCE, move || Ok(kind_of(&named)))?;
    let patience = match kind {
        None => PATIENCE,
        Some(Kind::Fifo) => PIPE_PATIENCE,
        Some(kind) => return Err(FileFault::NotRegular(kind).into()),
    };
    let named = path.to_owned();
    let opened = within(path, patience, move || {
        let file = File::open(named)?;
        let meta = file.metadata()?;
        let mut reader = BufReader::new(file);
        reader.fill_buf()?;
        Ok((reader, meta.is_file().then_some(meta.len())))
    });
    opened.map_err(|error| if kind == Some(Kind::Fifo) { of_pipe(error, "begin") } else { error })
}

fn of_pipe(error: io::Error, what: &'static str) -> io::Error {
    match error.kind() {
        ErrorKind::TimedOut => FileFault::SilentPipe(PIPE_PATIENCE.as_secs(), what).into(),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::time::Instant;

    use super::*;

    fn fifo(path: &Path) {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    }

    #[test]
    fn what_is_not_a_regular_file_or_too_large_is_told_in_words_and_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fifo(&at("fifo"));
        std::fs::create_dir(at("folder")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        std::fs::write(at("large"), vec![b'x'; 17]).unwrap();
        std::os::unix::fs::symlink(at("fifo"), at("link")).unwrap();
        std::os::unix::fs::symlink("loop", at("loop")).unwrap();
        for (path, expected) in [
            (at("fifo"), "it is a FIFO (named pipe), and must be a regular file"),
            (at("link"), "it is a FIFO (named pipe), and must be a regular file"),
            (at("folder"), "it is a folder, and must be a regular file"),
            (at("socket"), "it is a socket, and must be a regular file"),
            (PathBuf::from("/dev/zero"), "it is a device, and must be a regular file"),
            (at("large"), "it has more than 16 bytes"),
        ] {
            let began = Instant::now();
            let error = read(&path, 16).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{}: {error}", path.display());
            assert!(is_obstructed(&error), "{}", path.display());
            assert!(began.elapsed() < PATIENCE, "{}", path.display());
        }
        for path in [at("missing"), at("loop")] {
            assert!(!is_obstructed(&read(&path, 16).unwrap_err()), "{}", path.display());
        }
    }

    #[test]
    fn a_regular_file_is_read_whole_with_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (content, mode, is_exposed) in
            [("", 0o600, false), ("token\n", 0o640, true), ("0123456789abcdef", 0o604, true)]
        {
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            for read in [read(&path, 16), read_regular(&path, 16), read_input(&path, 16)] {
                let read = read.unwrap();
                assert_eq!((read.text().unwrap(), read.mode, read.is_exposed()), (content, mode, is_exposed));
            }
        }
        std::fs::write(&path, "\u{feff}token").unwrap();
        assert_eq!(read(&path, 16).unwrap().text().unwrap(), "token");
        std::fs::write(&path, [0xFF]).unwrap();
        assert!(read(&path, 16).unwrap().text().is_err());
    }

    #[test]
    fn a_pipe_on_the_command_line_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        fifo(&path);
        for whole in [true, false] {
            let writer = std::thread::spawn({
                let path = path.clone();
                move || std::fs::write(path, "through a pipe").unwrap()
            });
            if whole {
                assert_eq!(read_input(&path, LINE).unwrap().text().unwrap(), "through a pipe");
            } else {
                let (mut reader, length) = open_input(&path).unwrap();
                let mut text = String::new();
                reader.read_to_string(&mut text).unwrap();
                assert_eq!((text.as_str(), length), ("through a pipe", None));
            }
            writer.join().unwrap();
        }
        assert!(open_input(folder.path()).unwrap_err().to_string().contains("it is a folder"));
        assert!(open_input(Path::new("/dev/zero")).unwrap_err().to_string().contains("it is a device"));
    }
}
