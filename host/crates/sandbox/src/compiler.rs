//! The threads that read and compile components.
//!
//! A component can be a good deal to read and to compile, and it may have been made to be. That has threads of its own. Before
//! requests are served it has all processors, so that a start is quick. From then on it has one thread of low priority: one
//! component is compiled at a time, since the registry looks at one file at a time, on one processor, with the time that
//! requests leave over.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::task::JoinError;

/// Increase of the nice value for compilation: it gets about a third of the processor time of a thread that serves requests, if
/// both compete. Not more, since other processes of the machine would precede it, too.
#[cfg(target_os = "linux")]
const NICE_STEPS: i32 = 5;
/// The lowest priority that Linux has.
#[cfg(target_os = "linux")]
const LAST: i32 = 19;

/// Native stack of a compiling thread: nested code is nested calls in places.
const STACK: usize = 8 * 1024 * 1024;

/// The threads that read and compile components. Cloning it is cheap.
#[derive(Clone)]
pub(super) struct Compiler {
    threads: Arc<ArcSwap<ThreadPool>>,
}

impl Compiler {
    /// Starts the threads, as many as there are processors.
    pub(super) fn new() -> Result<Self, ThreadPoolBuildError> {
        Ok(Self { threads: Arc::new(ArcSwap::from_pointee(builder().build()?)) })
    }

    /// Lowers the priority of compilation from now on. Work in progress keeps its priority.
    pub(super) fn yield_to_requests(&self) {
        match builder().num_threads(1).start_handler(|_| lower_priority()).build() {
            Ok(threads) => self.threads.store(Arc::new(threads)),
            Err(error) => tracing::warn!(%error, "compilation does not stand back behind requests"),
        }
    }

    /// Runs `work` on these threads; parallel work of wasmtime stays on them too.
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
fn lower_priority() {
    use rustix::process::{getpriority_process, setpriority_process};
    // On Linux a "process" is a thread here (setpriority(2), under "C library/kernel differences"), and none is this one.
    let lowered = getpriority_process(None).and_then(|now| setpriority_process(None, (now + NICE_STEPS).min(LAST)));
    if let Err(error) = lowered {
        tracing::debug!(%error, "compilation runs at the priority of requests");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

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
        compiler.yield_to_requests();
        assert_eq!(compiler.run(priority).await.unwrap(), (before + NICE_STEPS).min(LAST));
        assert_eq!(priority(), before);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_threads_go_on() {
        let compiler = Compiler::new().unwrap();
        assert!(compiler.run(|| panic!("a defect in the compiler")).await.unwrap_err().is_panic());
        assert_eq!(compiler.run(|| 7).await.unwrap(), 7);
    }
}
