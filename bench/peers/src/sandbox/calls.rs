//! Sequential calls on each thread. Each call is timed alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::runtime::Runtime;

use crate::outcome::{Outcome, Tried as _};
use crate::rounds::Series;

/// Calls a guest once and checks its verdict.
pub(super) type Blocking = Box<dyn FnMut() -> Outcome<()> + Send>;
/// The same on the runtime's threads.
pub(super) type OnRuntime = Arc<dyn Fn() -> BoxFuture<'static, Outcome<()>> + Send + Sync>;

/// How a contestant is called.
pub(super) enum Caller {
    /// On a thread of its own, which gets its own state.
    Blocking(Box<dyn Fn() -> Outcome<Blocking>>),
    /// As a task, as in a server.
    OnRuntime(OnRuntime),
}

/// The durations of a round's calls.
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// The duration in microseconds that this share of the calls (0 to 1) did not exceed.
    pub(super) fn under(&mut self, part: f64) -> f64 {
        self.0.sort_unstable();
        let place = (self.0.len() as f64 * part) as usize;
        let time = self.0.get(place.min(self.0.len().saturating_sub(1)));
        time.copied().unwrap_or_default().as_secs_f64() * 1e6
    }
}

/// Runs `calls` calls on each of `threads` concurrent threads.
pub(super) fn run(caller: &Caller, runtime: &Runtime, threads: usize, calls: usize) -> Outcome<Times> {
    let mut all = Vec::with_capacity(threads * calls);
    match caller {
        Caller::Blocking(start) => {
            let mut running = Vec::new();
            for _ in 0..threads {
                let mut call = start()?;
                running.push(std::thread::spawn(move || -> Outcome<Vec<Duration>> {
                    let mut times = Vec::with_capacity(calls);
                    for _ in 0..calls {
                        let began = Instant::now();
                        call()?;
                        times.push(began.elapsed());
                    }
                    Ok(times)
                }));
            }
            for thread in running {
                all.extend(thread.join().map_err(|_| "it panicked").tried("call on a thread")??);
            }
        }
        Caller::OnRuntime(call) => {
            let mut running = Vec::new();
            for _ in 0..threads {
                let call = Arc::clone(call);
                running.push(runtime.spawn(async move {
                    let mut times = Vec::with_capacity(calls);
                    for _ in 0..calls {
                        let began = Instant::now();
                        call().await?;
                        times.push(began.elapsed());
                    }
                    Outcome::Ok(times)
                }));
            }
            for task in running {
                all.extend(runtime.block_on(task).tried("call in a task")??);
            }
        }
    }
    Ok(Times(all))
}

/// The durations of all rounds of a contestant, in microseconds.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) medians: Series,
    pub(super) p99s: Series,
}

impl Figures {
    pub(super) fn add(&mut self, mut times: Times) {
        self.medians.push(times.under(0.5));
        self.p99s.push(times.under(0.99));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_calls_are_counted_from_the_fastest() {
        let mut times = Times((1..=100).rev().map(Duration::from_micros).collect());
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|part| times.under(part).round()), [1.0, 51.0, 100.0, 100.0]);
        assert_eq!(Times(Vec::new()).under(0.5), 0.0);
    }

    #[test]
    fn every_thread_calls_and_one_failed_call_fails_the_round() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let blocking = Caller::Blocking(Box::new(|| Ok(Box::new(|| Ok(())))));
        let tasks = Caller::OnRuntime(Arc::new(|| Box::pin(async { Ok(()) })));
        for caller in [blocking, tasks] {
            assert_eq!(run(&caller, &runtime, 2, 10).unwrap().0.len(), 20);
        }
        let failing = Caller::OnRuntime(Arc::new(|| Box::pin(async { Err("no verdict".into()) })));
        assert!(run(&failing, &runtime, 1, 1).is_err());
    }
}
