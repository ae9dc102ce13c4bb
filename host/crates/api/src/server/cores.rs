//! [`Cores`]: a runtime of its own for each processor core, on which connections are served.
//!
//! Nothing of a request on such a runtime wakes another thread, but for what it asks of others, such as the store. In return, no other
//! thread takes over its work. Connections are therefore given to the core that has the fewest, which the kernel's choice between
//! several listening sockets would not do; and work that computes for long leaves for the runtime that all share.

use std::cell::OnceCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// File descriptors of a runtime: two for its events, one to wake it, one for signals.
const DESCRIPTORS: usize = 4;

/// A timer that ends before all others makes its runtime wake itself by a call of the system. With this one always there, those of
/// requests, which are longer, do not.
const BEAT: Duration = Duration::from_secs(1);

thread_local! {
    /// On the thread of a core: the runtime that all share.
    static SHARED: OnceCell<Handle> = const { OnceCell::new() };
}

/// The runtime for work that must outlive its request or computes for long.
pub(crate) fn shared_runtime() -> Handle {
    SHARED.with(|shared| shared.get().cloned()).unwrap_or_else(Handle::current)
}

/// Whether this thread serves the connections of one core.
pub(crate) fn is_core() -> bool {
    SHARED.with(|shared| shared.get().is_some())
}

/// Runtimes of one thread each, one for each core. Dropped, they end.
pub struct Cores(Vec<Core>);

struct Core {
    runtime: Handle,
    /// The connections that it serves.
    connections: Arc<AtomicUsize>,
    /// Dropped, it ends the runtime.
    _end: oneshot::Sender<()>,
}

/// A core, and the place of one connection on it.
pub(crate) struct CorePlace {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Cores {
    /// Starts the runtimes. What has to outlive a request there is carried on by the runtime that this is called on.
    ///
    /// # Errors
    /// If the system refuses a thread or what a runtime needs.
    pub fn start() -> io::Result<Self> {
        let count = thread::available_parallelism()?.get();
        let shared = Handle::current();
        (0..count).map(|number| Core::start(number, shared.clone())).collect::<io::Result<_>>().map(Self)
    }

    /// How many file descriptors the runtimes have open.
    pub fn descriptors(&self) -> usize {
        self.0.len() * DESCRIPTORS
    }

    /// A place on the core that serves the fewest connections.
    pub(crate) fn place(&self) -> Option<CorePlace> {
        let core = self.0.iter().min_by_key(|core| core.connections.load(Ordering::Relaxed))?;
        core.connections.fetch_add(1, Ordering::Relaxed);
        Some(CorePlace { runtime: core.runtime.clone(), connections: Arc::clone(&core.connections) })
    }
}

impl Core {
    fn start(number: usize, shared: Handle) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, mut ended) = oneshot::channel::<()>();
        thread::Builder::new().name(format!("core-{number}")).spawn(move || {
            let _set = SHARED.with(|own| own.set(shared));
            runtime.block_on(async { while timeout(BEAT, &mut ended).await.is_err() {} });
            // A look-up that hangs must not keep the process from ending.
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, connections: Arc::default(), _end: end })
    }
}

impl CorePlace {
    /// The runtime of the core.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

impl Drop for CorePlace {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_spread_evenly_and_a_place_that_is_left_is_taken_first() {
        let cores = Cores::start().unwrap();
        let count = cores.0.len();
        let of =
            |cores: &Cores| -> Vec<_> { cores.0.iter().map(|core| core.connections.load(Ordering::Relaxed)).collect() };
        let mut places: Vec<_> = (0..count * 3).filter_map(|_| cores.place()).collect();
        assert_eq!(of(&cores), vec![3; count]);
        let left = places.pop().map(|place| place.runtime().id());
        assert_eq!(cores.place().map(|place| place.runtime().id()), left);
    }

    #[tokio::test]
    async fn work_on_a_core_finds_the_runtime_that_all_share() {
        let (cores, here) = (Cores::start().unwrap(), Handle::current().id());
        let place = cores.place().unwrap();
        let there = place.runtime().spawn(async { (is_core(), Handle::current().id(), shared_runtime().id()) });
        let (is_a_core, there, shared) = there.await.unwrap();
        assert!(is_a_core && there != here && shared == here);
        assert!(!is_core() && shared_runtime().id() == here);
    }
}
