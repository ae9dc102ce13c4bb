//! Waits that the server or a provider asks for. All verifications heed them, so that one response makes all of them pause.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Who has asked for a wait.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Asker {
    Server,
    Provider { slug: String },
}

/// The time until which each is waited for.
#[derive(Default)]
pub(super) struct Waits(Mutex<HashMap<Asker, Instant>>);

impl Waits {
    /// Returns when neither the server nor the app's provider is waited for.
    pub(super) async fn over(&self, slug: &str) {
        loop {
            let provider = Asker::Provider { slug: slug.to_owned() };
            let end = {
                let waits = self.0.lock().await;
                [Asker::Server, provider].iter().filter_map(|asker| waits.get(asker).copied()).max()
            };
            match end {
                Some(end) if end > Instant::now() => sleep_until(end).await,
                _ => return,
            }
        }
    }

    /// Adds a wait from now. Whether none was under way.
    pub(super) async fn add(&self, asker: Asker, wait: Duration) -> bool {
        let now = Instant::now();
        let mut waits = self.0.lock().await;
        let end = waits.entry(asker).or_insert(now);
        let is_new = *end <= now;
        *end = (*end).max(now + wait);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_provider_is_waited_for_by_its_own_app_and_the_server_by_all() {
        let (waits, begun) = (Waits::default(), Instant::now());
        let (long, short) = (Duration::from_secs(3600), Duration::from_millis(30));
        let provider = Asker::Provider { slug: "hubspot".to_owned() };
        assert!(waits.add(provider.clone(), long).await);
        assert!(!waits.add(provider, short).await, "the longer one is under way");
        waits.over("stripe").await;
        assert!(waits.add(Asker::Server, short).await);
        waits.over("stripe").await;
        assert!(begun.elapsed() >= short);
        assert!(waits.add(Asker::Server, short).await, "the former one is over");
    }
}
