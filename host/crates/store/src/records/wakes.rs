//! Wakes those who wait for a batch: once for each runtime, instead of once for each caller.
//!
//! A runtime of one thread is woken by a call of the system for each of its tasks that another thread wakes. Callers therefore wait by
//! [`batched`], and the thread that replies does so within [`together`]: what is woken there is given to its runtime as one task, which
//! wakes all others without the system.

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::Handle;

thread_local! {
    /// Those to be woken, while there is more to come.
    static WOKEN: RefCell<Option<Vec<Arc<Waiting>>>> = const { RefCell::new(None) };
}

/// A task that waits, and the runtime that it runs on.
struct Waiting {
    runtime: Handle,
    task: Waker,
}

/// Tasks to be woken, at the latest when this is dropped.
struct Tasks(Vec<Arc<Waiting>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(|waiting| waiting.task.wake_by_ref());
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let rest = WOKEN.with_borrow_mut(|woken| match woken {
            Some(woken) => {
                woken.push(self);
                None
            }
            None => Some(self),
        });
        if let Some(waiting) = rest {
            waiting.task.wake_by_ref();
        }
    }
}

/// Awaits what [`together`] may wake.
pub(crate) async fn batched<F: Future>(waited_for: F) -> F::Output {
    let mut waited_for = pin!(waited_for);
    let mut known: Option<(Waker, Waker)> = None;
    std::future::poll_fn(move |context| poll(waited_for.as_mut(), &mut known, context)).await
}

/// Polls with a waker that is made once for each task: `known` is that of the task, and the one made for it.
fn poll<F: Future>(
    waited_for: Pin<&mut F>,
    known: &mut Option<(Waker, Waker)>,
    context: &mut Context<'_>,
) -> Poll<F::Output> {
    let task = context.waker();
    let (_, batched) = match known {
        Some(known) if known.0.will_wake(task) => known,
        known => {
            let waiting = Waiting { runtime: Handle::current(), task: task.clone() };
            known.insert((task.clone(), Waker::from(Arc::new(waiting))))
        }
    };
    waited_for.poll(&mut Context::from_waker(batched))
}

/// Does what wakes many tasks, and then wakes them runtime by runtime.
pub(super) fn together(work: impl FnOnce()) {
    WOKEN.set(Some(Vec::new()));
    // Also if the work panics.
    let _collecting = Collecting;
    work();
}

/// Wakes what was collected.
struct Collecting;

impl Drop for Collecting {
    fn drop(&mut self) {
        let mut woken = WOKEN.take().unwrap_or_default();
        while let Some(first) = woken.first() {
            let runtime = first.runtime.clone();
            let (here, others): (Vec<_>, Vec<_>) =
                woken.into_iter().partition(|other| other.runtime.id() == runtime.id());
            woken = others;
            let tasks = Tasks(here);
            // One is woken as it is: a task to do that would be one more.
            if tasks.0.len() > 1 {
                // If the runtime has ended, this drops the tasks, and so wakes them here.
                drop(runtime.spawn(async move { drop(tasks) }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn all_who_wait_are_woken_on_whatever_runtime_and_also_one_that_waits_alone() {
        let runtimes = [Builder::new_current_thread().build().unwrap(), Builder::new_multi_thread().build().unwrap()];
        for waiting in [[3, 0], [1, 0], [2, 1], [3, 5]] {
            let mut replies = Vec::new();
            let mut tasks = Vec::new();
            for (runtime, count) in runtimes.iter().zip(waiting) {
                for _ in 0..count {
                    let (reply, result) = oneshot::channel::<usize>();
                    replies.push(reply);
                    tasks.push(runtime.spawn(batched(result)));
                }
            }
            // Until all of them wait: the runtime of one thread runs its tasks now.
            runtimes[0].block_on(tokio::task::yield_now());
            let replying = std::thread::spawn(move || {
                together(|| replies.into_iter().enumerate().for_each(|(number, reply)| reply.send(number).unwrap()));
            });
            replying.join().unwrap();
            for (number, task) in tasks.into_iter().enumerate() {
                assert_eq!(runtimes[0].block_on(task).unwrap(), Ok(number), "{waiting:?}");
            }
        }
    }

    #[test]
    fn who_waits_outside_of_a_batch_is_woken_at_once() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let (reply, result) = oneshot::channel::<()>();
        let replying = std::thread::spawn(move || drop(reply));
        assert!(runtime.block_on(batched(result)).is_err());
        replying.join().unwrap();
    }
}
