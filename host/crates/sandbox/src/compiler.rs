//! The threads that read and compile components.
//!
//! A component can be a good deal to read and to compile, and it may have been made to be. That has threads of its own. Before
//! requests are served it has all processors, so that a start is quick. From then on it has one thread that stands back: one
//! component is compiled at a time, since the registry looks at one file at a time, on one processor, with the time that
//! requests leave over.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::task::JoinError;

/// How far compilation stands back: it gets about a third of the processor time of a thread that serves requests, where both
/// want it. Not less, since a server's neighbours on its machine go before it then, too.
#[cfg(target_os = "linux")]
const STEPS_BACK: i32 = 5;
/// The lowest priority that Linux has.
#[cfg(target_os = "linux")]
const LAST: i32 = 19;

/// Native stack of a compiling thread: nested code is nested calls in places.
const STACK: usize = 8 * 1024 * 1024;

/// Where components are read and compiled. Cloning it is cheap.
#[derive(Clone)]
pub(super) struct Compiler {
    threads: Arc<ArcSwap<ThreadPool>>,
}

impl Compiler {
    /// Starts the threads, as many as there are processors.
    pub(super) fn new() -> Result<Self, ThreadPoolBuildError> {
        Ok(Self { threads: Arc::new(ArcSwap::from_pointee(builder().build()?)) })
    }

    /// From now on requests go first. What is being compiled ends as it began.
    pub(super) fn stand_back(&self) {
        match builder().num_threads(1).start_handler(|_| step_back()).build() {
            Ok(threads) => self.threads.store(Arc::new(threads)),
            Err(error) => tracing::warn!(%error, "compilation does not stand back behind requests"),
        }
    }

    /// Does something on these threads; what wasmtime does in parallel stays on them too.
    ///
    /// # Errors
    /// If it panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let threads = self.threads.load_full();
        tokio::task::spawn_blocking(move || threads.install(work)).await
    }
}

fn builder() -> ThreadPoolBuilder {
    ThreadPoolBuilder::new().thread_name(|index| format!("compile-{index}")).stack_size(STACK)
}

#[cfg(target_os = "linux")]
fn step_back() {
    use rustix::process::{getpriority_process, setpriority_process};
    // On Linux a "process" is a thread here (setpriority(2), under "C library/kernel differences"), and none is this one.
    let stepped_back =
        getpriority_process(None).and_then(|now| setpriority_process(None, (now + STEPS_BACK).min(LAST)));
    if let Err(error) = stepped_back {
        tracing::debug!(%error, "compilation runs at the priority of requests");
    }
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn compilation_stands_back_and_nothing_else_does() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        let compiler = Compiler::new().unwrap();
        assert_eq!(compiler.run(priority).await.unwrap(), before);
        compiler.stand_back();
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
