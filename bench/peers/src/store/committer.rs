//! A small committer for all engines: a thread that drains the queue, writes it as one durable batch, and only then
//! replies. It gathers batches as Keyferry's does, so that only the engines differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::records::Rows;
use crate::outcome::{Outcome, Tried as _};

/// The largest number of writes in one batch.
pub(super) const MOST_WRITES: usize = 256;
/// How long a batch waits for as many writers as the one before had.
const LINGER: Duration = Duration::from_millis(1);

/// A storage engine.
pub(super) trait Engine: Send + 'static {
    /// Writes the rows of a batch as one transaction. They are on disk when this returns.
    fn write(&mut self, batch: &[Rows]) -> Outcome<()>;
}

struct Request {
    rows: Rows,
    reply: oneshot::Sender<Result<(), Arc<str>>>,
}

/// The queue of a committer. Dropping it ends the thread.
pub(super) struct Committer {
    queue: Option<Sender<Request>>,
    batches: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) fn start(mut engine: impl Engine) -> Outcome<Self> {
        let (queue, requests) = mpsc::channel();
        let batches = Arc::new(AtomicU64::new(0));
        let written = Arc::clone(&batches);
        let work = move || {
            let mut expected = 1;
            while let Ok(first) = requests.recv() {
                let batch = gather(&requests, first, expected);
                expected = batch.len();
                commit(&mut engine, batch, &written);
            }
        };
        let thread = std::thread::Builder::new().name("committer".to_owned()).spawn(work);
        Ok(Self { queue: Some(queue), batches, thread: Some(thread.tried("start the committer")?) })
    }

    /// Queues rows and waits until they are on disk.
    pub(super) async fn write(&self, rows: Rows) -> Outcome<()> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().tried("find the committer's queue")?;
        queue.send(Request { rows, reply }).tried("queue a write")?;
        answer.await.tried("learn of a write")?.tried("write a batch")
    }

    /// The number of batches committed so far.
    pub(super) fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        drop(self.queue.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn gather(requests: &Receiver<Request>, first: Request, expected: usize) -> Vec<Request> {
    let deadline = Instant::now() + LINGER;
    let mut batch = vec![first];
    while batch.len() < MOST_WRITES {
        let next = match requests.try_recv() {
            Ok(next) => next,
            Err(_) if batch.len() >= expected => break,
            Err(_) => match requests.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(next) => next,
                Err(_) => break,
            },
        };
        batch.push(next);
    }
    batch
}

fn commit(engine: &mut impl Engine, batch: Vec<Request>, written: &AtomicU64) {
    let (rows, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|request| (request.rows, request.reply)).unzip();
    let fate = engine.write(&rows).map_err(|error| Arc::from(error.to_string()));
    written.fetch_add(1, Ordering::Relaxed);
    for reply in replies {
        // The writer may have stopped waiting.
        let _ = reply.send(fate.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::records::Records;

    /// Reports the size of each batch, and completes it on a signal.
    struct Gated {
        begun: Sender<usize>,
        done: Receiver<Outcome<()>>,
    }

    impl Engine for Gated {
        fn write(&mut self, batch: &[Rows]) -> Outcome<()> {
            self.begun.send(batch.len()).unwrap();
            self.done.recv().unwrap()
        }
    }

    fn gated() -> (Arc<Committer>, Receiver<usize>, Sender<Outcome<()>>) {
        let ((begun, begins), (finish, done)) = (mpsc::channel(), mpsc::channel());
        (Arc::new(Committer::start(Gated { begun, done }).unwrap()), begins, finish)
    }

    fn write(committer: &Arc<Committer>, number: u64) -> tokio::task::JoinHandle<Outcome<()>> {
        let (committer, rows) = (Arc::clone(committer), Records::new().unwrap().rows(number).unwrap());
        tokio::spawn(async move { committer.write(rows).await })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_acknowledged_before_its_batch_is_durable() {
        let (committer, begins, finish) = gated();
        let first = write(&committer, 0);
        assert_eq!(begins.recv().unwrap(), 1);
        let others: Vec<_> = (1..9).map(|number| write(&committer, number)).collect();
        assert!(!first.is_finished() && others.iter().all(|other| !other.is_finished()));
        finish.send(Ok(())).unwrap();
        first.await.unwrap().unwrap();
        assert!(others.iter().all(|other| !other.is_finished()), "theirs has only begun");
        let mut batches = 1;
        let mut written = 0;
        while written < others.len() {
            written += begins.recv().unwrap();
            batches += 1;
            finish.send(Ok(())).unwrap();
        }
        for other in others {
            other.await.unwrap().unwrap();
        }
        assert_eq!(committer.batches(), batches);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_batch_that_fails_is_nobodys_success_and_the_next_one_is_tried() {
        let (committer, begins, finish) = gated();
        let lost = write(&committer, 0);
        begins.recv().unwrap();
        finish.send(Err("no space".into())).unwrap();
        assert!(lost.await.unwrap().unwrap_err().to_string().contains("no space"));
        let kept = write(&committer, 1);
        begins.recv().unwrap();
        finish.send(Ok(())).unwrap();
        kept.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_batch_takes_what_is_queued_up_to_its_limit() {
        let (queue, requests) = mpsc::channel();
        let rows = Records::new().unwrap().rows(0).unwrap();
        let request = || Request { rows: rows.clone(), reply: oneshot::channel().0 };
        for _ in 0..MOST_WRITES {
            queue.send(request()).unwrap();
        }
        assert_eq!(gather(&requests, request(), 1).len(), MOST_WRITES);
        assert_eq!(gather(&requests, request(), 1).len(), 2, "what is left, and no wait for more");
        assert_eq!(gather(&requests, request(), 1).len(), 1);
    }
}
