//! A thread that writes the records that arrived meanwhile as one batch.

use std::io;
use std::iter;
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

/// The most records of one batch, as in Keyferry's committer.
const BATCH: usize = 256;
/// Bytes of an entry of the audit chain, including its key. `bench/peers` writes the same number.
pub(super) const AUDIT: usize = 286;

/// The records of a migration.
pub(super) struct Record {
    pub(super) account: String,
    pub(super) row: Vec<u8>,
}

/// The destination of records.
pub(super) trait Disk: Send + 'static {
    /// Returns once all of them are on disk.
    fn commit(&mut self, records: &[Record]) -> io::Result<()>;
}

/// The queue of the thread.
#[derive(Clone)]
pub(super) struct Committer(mpsc::Sender<(Record, oneshot::Sender<()>)>);

impl Committer {
    pub(super) fn start(mut disk: impl Disk) -> Self {
        let (sender, receiver) = mpsc::channel::<(Record, oneshot::Sender<()>)>();
        thread::spawn(move || {
            while let Ok(first) = receiver.recv() {
                let batch = iter::once(first).chain(receiver.try_iter()).take(BATCH);
                let (records, waiting): (Vec<_>, Vec<_>) = batch.unzip();
                // A failed batch drops its waiters: their requests fail.
                if disk.commit(&records).is_ok() {
                    for done in waiting {
                        let _gone = done.send(());
                    }
                }
            }
        });
        Self(sender)
    }

    /// Returns once the record is on disk.
    pub(super) async fn commit(&self, record: Record) -> Result<(), &'static str> {
        let (sender, receiver) = oneshot::channel();
        self.0.send((record, sender)).map_err(|_| "the committer has ended")?;
        receiver.await.map_err(|_| "the record was not written")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Memory(Arc<Mutex<Vec<String>>>);

    impl Disk for Memory {
        fn commit(&mut self, records: &[Record]) -> io::Result<()> {
            if records.iter().any(|record| record.account == "bad") {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.lock().unwrap().extend(records.iter().map(|record| record.account.clone()));
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_record_is_acknowledged_when_it_is_written_and_not_where_writing_failed() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let committer = Committer::start(Memory(Arc::clone(&written)));
        let record = |account: &str| Record { account: account.to_owned(), row: Vec::new() };
        assert!(committer.commit(record("good")).await.is_ok());
        assert!(committer.commit(record("bad")).await.is_err());
        assert!(committer.commit(record("after")).await.is_ok());
        assert_eq!(*written.lock().unwrap(), ["good", "after"]);
    }
}
