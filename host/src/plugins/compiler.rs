//! The threads that read and compile components.
//!
//! A component can be a good deal to read and to compile, and it may have been made to be. That has threads of its own, one
//! a processor, so that a start is quick; the system gives them what requests leave over. One component is compiled at a time,
//! since the registry looks at one file at a time.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::task::JoinError;

/// How far compilation stands back: it gets about a tenth of the processor time of a thread that serves requests, where both
/// want it. Not the least there is, since a request can have to wait for something that a compilation holds for a moment.
#[cfg(target_os = "linux")]
const STEPS_BACK: i32 = 10;
/// The lowest priority.
#[cfg(target_os = "linux")]
const LAST: i32 = 19;

/// Native stack of a compiling thread: nested code is nested calls in places.
const STACK: usize = 8 * 1024 * 1024;

/// Where components are read and compiled. Cloning it is cheap.
#[derive(Clone)]
pub(super) struct Compiler {
    threads: Arc<ThreadPool>,
}

impl Compiler {
    /// Starts the threads.
    pub(super) fn new() -> Result<Self, ThreadPoolBuildError> {
        let threads = ThreadPoolBuilder::new()
            .thread_name(|index| format!("compile-{index}"))
            .stack_size(STACK)
            .start_handler(|_| stand_back())
            .build()?;
        Ok(Self { threads: Arc::new(threads) })
    }

    /// Does something on these threads; what wasmtime does in parallel stays on them too.
    ///
    /// # Errors
    /// Where it panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let threads = Arc::clone(&self.threads);
        tokio::task::spawn_blocking(move || threads.install(work)).await
    }
}

#[cfg(target_os = "linux")]
fn stand_back() {
    use rustix::process::{getpriority_process, setpriority_process};
    // On Linux a "process" is a thread here (setpriority(2), under "C library/kernel differences"), and none is this one.
    let stood_back = getpriority_process(None).and_then(|now| setpriority_process(None, (now + STEPS_BACK).min(LAST)));
    if let Err(error) = stood_back {
        tracing::debug!(%error, "compilation runs at the priority of requests");
    }
}

#[cfg(not(target_os = "linux"))]
fn stand_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn compilation_stands_back_and_nothing_else_does() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        let compiler = Compiler::new().unwrap();
        assert_eq!(compiler.run(priority).await.unwrap(), (before + STEPS_BACK).min(LAST));
        assert_eq!(priority(), before);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_threads_go_on() {
        let compiler = Compiler::new().unwrap();
        assert!(compiler.run(|| panic!("a defect in the compiler")).await.unwrap_err().is_panic());
        assert_eq!(compiler.run(|| 7).await.unwrap(), 7);
    }
}
