//! [`Idle`]: the connections to one host that wait for their next request.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::connection::Connection;

/// Idle connections are closed before most servers do that, and after at most twice this time: until then, the buffers of
/// a connection still hold the head of the last request that it carried, with its secrets.
pub(super) const IDLE: Duration = Duration::from_secs(5);

/// Idle connections, the last used one at the end.
#[derive(Default)]
pub(super) struct Idle(Mutex<Vec<Kept>>);

struct Kept {
    connection: Box<Connection>,
    since: Instant,
}

impl Idle {
    /// The connection that this runtime used last, if it is not too old.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        let here = Handle::current().id();
        let mut idle = self.0.lock();
        let index = idle.iter().rposition(|kept| kept.connection.runtime() == here)?;
        let kept = idle.remove(index);
        drop(idle);
        (kept.since.elapsed() < IDLE).then_some(kept.connection)
    }

    /// Closes the oldest connections until no more than `most` are left.
    pub(super) fn shrink(&self, most: usize) {
        let mut idle = self.0.lock();
        let excess = idle.len().saturating_sub(most);
        // Closed after the lock is free.
        let old: Vec<Kept> = idle.drain(..excess).collect();
        drop(idle);
        drop(old);
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, connection: Box<Connection>) {
        self.0.lock().push(Kept { connection, since: Instant::now() });
    }

    /// Closes the connections that are too old. Returns whether others are left.
    pub(super) fn close_old(&self) -> bool {
        let mut kept = self.0.lock();
        let old = kept.iter().take_while(|kept| kept.since.elapsed() >= IDLE).count();
        // Closed after the lock is free.
        let old: Vec<Kept> = kept.drain(..old).collect();
        let is_left = !kept.is_empty();
        drop(kept);
        drop(old);
        is_left
    }
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idle").field("connections", &self.0.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    #[test]
    fn a_runtime_takes_its_own_connections_and_the_oldest_of_all_make_room() {
        let [one, other] = [(); 2].map(|()| Builder::new_current_thread().build().unwrap());
        let idle = Idle::default();
        for runtime in [&one, &one, &other, &other, &one] {
            let connection = runtime.block_on(Connection::over(Box::new(duplex(64).0)));
            idle.keep(connection.unwrap());
        }
        let take = |runtime: &Runtime| runtime.block_on(async { idle.take() }).map(|taken| taken.runtime());
        assert_eq!(take(&other), Some(other.handle().id()));
        assert_eq!(take(&one), Some(one.handle().id()));
        idle.shrink(1);
        assert_eq!(take(&one), None, "those of the first runtime were the oldest");
        assert_eq!(take(&other), Some(other.handle().id()));
        assert_eq!(take(&other), None);
    }
}
