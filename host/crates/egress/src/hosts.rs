//! The state of each host that an app's client uses: the number of requests under way, its idle connections, and its circuit
//! breaker.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use super::breaker::{Breaker, Open, Outcome};
use super::connection::Connection;
use super::idle::{IDLE, Idle};

/// Maximum number of hosts whose state is kept. A plugin may be allowed any host, and callers choose tenants.
const MOST_HOSTS: usize = 1024;

/// The state of the hosts of one app.
#[derive(Debug)]
pub(super) struct Hosts {
    known: Mutex<HashMap<String, Entry>>,
    concurrency: usize,
    /// Whether a task closes old connections.
    is_swept: AtomicBool,
}

#[derive(Debug)]
struct Entry {
    host: Arc<Host>,
    last_used: Instant,
}

#[derive(Debug)]
struct Host {
    permits: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
    idle: Idle,
}

/// Why a request is held back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HostUnavailable {
    /// Too many requests are in progress, and none ended before the deadline.
    Crowded,
    /// The circuit breaker is open.
    Open(Open),
}

/// The right to send one request to a host. If it is dropped without [`report`](Self::report), as a cancelled call does, the
/// breaker ignores the request.
#[derive(Debug)]
pub(super) struct HostPermit {
    host: Arc<Host>,
    outcome: Outcome,
    _permit: OwnedSemaphorePermit,
}

impl Hosts {
    pub(super) fn new(concurrency: usize) -> Self {
        Self { known: Mutex::default(), concurrency, is_swept: AtomicBool::new(false) }
    }

    /// Waits until a request to `host` may be sent, but no longer than `deadline`.
    pub(super) async fn acquire(&self, host: &str, deadline: Instant) -> Result<HostPermit, HostUnavailable> {
        let host = self.get(host);
        let permit = match Arc::clone(&host.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => match timeout_at(deadline, Arc::clone(&host.permits).acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                // The semaphore is never closed, so this is the deadline.
                Ok(Err(_)) | Err(_) => return Err(HostUnavailable::Crowded),
            },
        };
        host.breaker.lock().admit(Instant::now()).map_err(HostUnavailable::Open)?;
        Ok(HostPermit { host, outcome: Outcome::Unknown, _permit: permit })
    }

    fn get(&self, name: &str) -> Arc<Host> {
        let now = Instant::now();
        let mut known = self.known.lock();
        if let Some(entry) = known.get_mut(name) {
            entry.last_used = now;
            return Arc::clone(&entry.host);
        }
        if known.len() >= MOST_HOSTS {
            // Only hosts without a request in progress are forgotten, so no limit is evaded.
            let idle = known.iter().filter(|(_, entry)| Arc::strong_count(&entry.host) == 1);
            let oldest = idle.min_by_key(|(_, entry)| entry.last_used).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| known.remove(&oldest));
        }
        let permits = Arc::new(Semaphore::new(self.concurrency));
        let host = Arc::new(Host { permits, breaker: Mutex::default(), idle: Idle::default() });
        known.insert(name.to_owned(), Entry { host: Arc::clone(&host), last_used: now });
        host
    }

    /// Keeps a connection for the next request to the host of a permit.
    pub(super) fn keep(self: &Arc<Self>, permit: &HostPermit, connection: Box<Connection>) {
        permit.host.idle.keep(connection);
        if !self.is_swept.swap(true, Ordering::AcqRel) {
            tokio::spawn(close_old(Arc::downgrade(self)));
        }
    }
}

/// Closes connections that were idle for too long, until there are no more.
async fn close_old(hosts: Weak<Hosts>) {
    loop {
        sleep(IDLE).await;
        let Some(hosts) = hosts.upgrade() else { return };
        // Set before the look: a connection that is kept after it starts another task.
        hosts.is_swept.store(false, Ordering::Release);
        let known: Vec<Arc<Host>> = hosts.known.lock().values().map(|entry| Arc::clone(&entry.host)).collect();
        // Each host's turn comes, also after one that has some left.
        let is_left = known.iter().filter(|host| host.idle.close_old()).count() > 0;
        if !is_left || hosts.is_swept.swap(true, Ordering::AcqRel) {
            return;
        }
    }
}

impl HostPermit {
    /// An idle connection to the host that belongs to this runtime. If there is none, those of others make room for a new one, so
    /// that a host never has more connections than requests at once.
    pub(super) fn idle_connection(&self) -> Option<Box<Connection>> {
        let taken = self.host.idle.take();
        if taken.is_none() {
            self.host.idle.shrink(self.host.permits.available_permits());
        }
        taken
    }

    /// Records the result of the request.
    pub(super) fn report(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for HostPermit {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, Outcome::Unknown);
        self.host.breaker.lock().report(outcome, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::breaker::Cause;
    use std::time::Duration;

    #[tokio::test]
    async fn requests_over_the_limit_wait_for_their_turn_and_no_longer_than_the_deadline() {
        let hosts = Hosts::new(1);
        let soon = || Instant::now() + Duration::from_millis(50);
        let first = hosts.acquire("a:443", soon()).await.unwrap();
        assert!(hosts.acquire("b:443", soon()).await.is_ok(), "another host has its own limit");
        assert_eq!(hosts.acquire("a:443", soon()).await.unwrap_err(), HostUnavailable::Crowded);
        drop(first);
        assert!(hosts.acquire("a:443", soon()).await.is_ok());
    }

    #[tokio::test]
    async fn a_host_that_fails_is_left_alone_for_a_while() {
        let hosts = Hosts::new(4);
        let soon = Instant::now() + Duration::from_secs(60);
        for _ in 0..10 {
            let cause = Cause { kind: ErrorKind::Tls, message: "TLS with a: the certificate has expired".to_owned() };
            hosts.acquire("a:443", soon).await.unwrap().report(Outcome::Failed(cause));
        }
        let stay = hosts.acquire("a:443", soon).await.unwrap_err();
        assert!(matches!(&stay, HostUnavailable::Open(open) if open.cause.kind == ErrorKind::Tls), "{stay:?}");
        assert!(hosts.acquire("b:443", soon).await.is_ok());
    }

    #[tokio::test]
    async fn only_so_many_hosts_are_remembered_and_busy_ones_always() {
        let hosts = Hosts::new(1);
        let soon = Instant::now() + Duration::from_secs(60);
        let busy = hosts.acquire("busy:443", soon).await.unwrap();
        for index in 0..MOST_HOSTS + 10 {
            drop(hosts.acquire(&format!("{index}:443"), soon).await.unwrap());
        }
        assert_eq!(hosts.known.lock().len(), MOST_HOSTS);
        assert_eq!(hosts.acquire("busy:443", Instant::now()).await.unwrap_err(), HostUnavailable::Crowded);
        drop(busy);
    }
}
