//! Work on a path with a deadline: [`within`] blocks, [`apart`] does not.
//!
//! A thread that hangs in the kernel cannot be stopped, so it is abandoned, and its path refused until the thread ends.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;

use super::fault::FileFault;

/// Bytes of stack of a thread.
const STACK: usize = 256 * 1024;
/// Maximum number of abandoned threads.
const MOST_ABANDONED: usize = 64;

/// Runs `work` on a path in a thread of its own, and waits for at most `patience`. Blocks the calling thread.
///
/// # Errors
/// Those of the work, and [`FileFault::Stalled`].
pub fn within<T: Send + 'static>(
    path: &Path,
    patience: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = sync_channel(1);
    let worker = Worker::start(path, patience, move || {
        let _ = sender.send(work());
    })?;
    match receiver.recv_timeout(patience) {
        Ok(done) => done,
        Err(RecvTimeoutError::Timeout) => Err(worker.abandon(patience)),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the thread that read it has ended")),
    }
}

/// As [`within`], for a task: it waits without blocking its thread.
///
/// # Errors
/// Those of [`within`].
pub async fn apart<T: Send + 'static>(
    path: &Path,
    patience: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let worker = Worker::start(path, patience, move || {
        let _ = sender.send(work());
    })?;
    match tokio::time::timeout(patience, receiver).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(io::Error::other("the thread that read it has ended")),
        Err(_) => Err(worker.abandon(patience)),
    }
}

/// Paths whose threads were abandoned and have not ended.
static ABANDONED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A thread that works on a path.
struct Worker {
    path: PathBuf,
    /// Whether the thread has ended. Read and written with [`ABANDONED`] locked.
    has_ended: Arc<Mutex<bool>>,
}

impl Worker {
    fn start(path: &Path, patience: Duration, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        {
            let abandoned = ABANDONED.lock();
            if abandoned.contains(path) || abandoned.len() >= MOST_ABANDONED {
                return Err(FileFault::Stalled(patience.as_secs()).into());
            }
        }
        let worker = Self { path: path.to_owned(), has_ended: Arc::default() };
        let (path, has_ended) = (worker.path.clone(), Arc::clone(&worker.has_ended));
        std::thread::Builder::new().name("file".to_owned()).stack_size(STACK).spawn(move || {
            work();
            let mut abandoned = ABANDONED.lock();
            *has_ended.lock() = true;
            abandoned.remove(&path);
        })?;
        Ok(worker)
    }

    /// Abandons the thread.
    fn abandon(self, patience: Duration) -> io::Error {
        let mut abandoned = ABANDONED.lock();
        if !*self.has_ended.lock() {
            abandoned.insert(self.path);
        }
        FileFault::Stalled(patience.as_secs()).into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Instant;

    use super::*;
    use crate::bounded_file::is_obstructed;

    #[test]
    fn what_hangs_is_left_behind_and_further_reads_of_it_fail_at_once_until_it_answers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hangs");
        let (go_on, hang) = sync_channel::<()>(0);
        let patience = Duration::from_millis(50);
        let error = within(&path, patience, move || Ok(hang.recv())).unwrap_err();
        assert!(error.to_string().contains("did not answer within"), "{error}");
        let began = Instant::now();
        let never = || -> io::Result<()> { panic!("a second thread was sent") };
        assert_eq!(within(&path, Duration::from_secs(60), never).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(30));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert!(is_obstructed(&runtime.block_on(apart(&path, patience, || Ok(()))).unwrap_err()));
        assert_eq!(within(&folder.path().join("other"), Duration::from_secs(60), || Ok(7)).unwrap(), 7);
        go_on.send(()).unwrap();
        while within(&path, Duration::from_secs(60), || Ok(())).is_err() {
            std::thread::yield_now();
        }
    }
}
