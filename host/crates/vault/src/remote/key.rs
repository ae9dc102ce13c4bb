//! [`RemoteKey`]: one key of one service, with a limit of concurrent calls, a deadline, and a pause after a failure.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::encryption_context::EncryptionContext;
use crate::derive::{Key, random};
use crate::error::VaultError;
use crate::key_service_error::{KeyServiceError, KeyServiceFault};
use crate::locked::LockedKey;

/// Wraps and unwraps by one protocol. It repeats failed requests where a repetition can succeed.
#[async_trait]
pub(crate) trait KeyService: Send + Sync {
    /// The key as it was configured.
    fn shown(&self) -> &str;

    /// Id of the key in stored roots, if it is known without a call.
    fn id(&self) -> Option<String>;

    /// Wraps a key, bound to a context. The result names the key that wrapped it.
    async fn wrap(&self, context: &EncryptionContext<'_>, key: &[u8; 32]) -> Result<WrappedBy, KeyServiceError>;

    /// Unwraps a key that was wrapped for this very context.
    async fn unwrap(&self, context: &EncryptionContext<'_>, wrapped: &[u8]) -> Result<LockedKey, KeyServiceError>;
}

/// A wrapped key, and the id of the key that wrapped it.
pub(crate) struct WrappedBy {
    pub(crate) kek_id: String,
    pub(crate) bytes: Vec<u8>,
}

/// The state of a key service, as its last calls showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyServiceState {
    /// It has not been called yet, or its last call succeeded.
    Answers,
    /// It has responded before and fails now. Unlocked roots stay unlocked.
    Fails(KeyServiceFault),
    /// No call has succeeded since the start.
    NeverAnswered(KeyServiceFault),
}

/// Time limits of calls to a service.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Time limit of a call, with the wait for a permit and all attempts.
    deadline: Duration,
    /// Time after a failure during which the same failure is returned without a request.
    pause: Duration,
}

const PATIENCE: Patience = Patience { deadline: Duration::from_secs(10), pause: Duration::from_secs(1) };
/// The longest pause that a service can ask for by `Retry-After`.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Maximum number of concurrent calls.
const AT_ONCE: usize = 8;

/// A key that is in a key service.
pub(crate) struct RemoteKey {
    service: Box<dyn KeyService>,
    patience: Patience,
    /// Permits of concurrent calls.
    permits: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answered: bool,
    failure: Option<(Instant, KeyServiceError)>,
}

impl RemoteKey {
    pub(crate) fn new(service: impl KeyService + 'static) -> Self {
        Self::with_patience(service, PATIENCE)
    }

    fn with_patience(service: impl KeyService + 'static, patience: Patience) -> Self {
        Self { service: Box::new(service), patience, permits: Semaphore::new(AT_ONCE), state: Mutex::default() }
    }

    pub(crate) fn shown(&self) -> &str {
        self.service.shown()
    }

    /// Id of the key in stored roots; calls the service if only that knows it.
    pub(crate) async fn id(&self) -> Result<String, KeyServiceError> {
        match self.service.id() {
            Some(id) => Ok(id),
            None => {
                // Any response names it.
                let wrapped = self.ask(self.service.wrap(&EncryptionContext::Probe, &[0; 32])).await?;
                Ok(self.service.id().unwrap_or(wrapped.kek_id))
            }
        }
    }

    pub(crate) async fn wrap(
        &self,
        context: &EncryptionContext<'_>,
        key: &[u8; 32],
    ) -> Result<WrappedBy, KeyServiceError> {
        self.ask(self.service.wrap(context, key)).await
    }

    pub(crate) async fn unwrap(
        &self,
        context: &EncryptionContext<'_>,
        wrapped: &[u8],
    ) -> Result<LockedKey, KeyServiceError> {
        self.ask(self.service.unwrap(context, wrapped)).await
    }

    /// Wraps a value that is then discarded, to test whether the service works.
    pub(crate) async fn probe(&self) -> Result<(), VaultError> {
        let key: Key = random()?;
        self.wrap(&EncryptionContext::Probe, &key).await?;
        Ok(())
    }

    pub(crate) fn state(&self) -> KeyServiceState {
        let state = self.state.lock();
        match &state.failure {
            None => KeyServiceState::Answers,
            Some((_, error)) if state.answered => KeyServiceState::Fails(error.fault),
            Some((_, error)) => KeyServiceState::NeverAnswered(error.fault),
        }
    }

    async fn ask<T>(&self, call: impl Future<Output = Result<T, KeyServiceError>>) -> Result<T, KeyServiceError> {
        let timed = tokio::time::timeout(self.patience.deadline, async {
            // Never closed, so this cannot fail.
            let _permit = self.permits.acquire().await;
            self.check_pause()?;
            let outcome = call.await;
            self.note(&outcome);
            outcome
        });
        match timed.await {
            Ok(outcome) => outcome,
            Err(_) => {
                let detail = format!("no answer within {:?}", self.patience.deadline);
                let late = Err(KeyServiceError::new(self.shown(), KeyServiceFault::Unreachable, detail));
                self.note(&late);
                late
            }
        }
    }

    fn check_pause(&self) -> Result<(), KeyServiceError> {
        match &self.state.lock().failure {
            // Asked again too soon, a service that throttles would do so for longer.
            Some((at, error))
                if at.elapsed() < error.wait.unwrap_or_default().min(LONGEST_PAUSE).max(self.patience.pause) =>
            {
                Err(error.clone())
            }
            _ => Ok(()),
        }
    }

    fn note<T>(&self, outcome: &Result<T, KeyServiceError>) {
        let mut state = self.state.lock();
        match outcome {
            Err(error) if !error.fault.is_about_what_was_given() => {
                if state.failure.as_ref().is_none_or(|(_, before)| before.fault != error.fault) {
                    tracing::warn!(%error, "the key service failed");
                }
                state.failure = Some((Instant::now(), error.clone()));
            }
            _ => {
                if state.failure.is_some() {
                    tracing::info!(key = self.shown(), "the key service answers");
                }
                *state = State { answered: true, failure: None };
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A service that fails as a test sets it and counts its calls. It wraps by reversing the bytes.
    #[derive(Clone, Default)]
    pub(crate) struct FakeService {
        pub(crate) calls: Arc<AtomicUsize>,
        /// What becomes of the next calls; those after are well.
        pub(crate) plan: Arc<Mutex<VecDeque<Option<KeyServiceFault>>>>,
        /// Hangs while it is held.
        pub(crate) hold: Arc<tokio::sync::Mutex<()>>,
    }

    impl FakeService {
        async fn called(&self) -> Result<(), KeyServiceError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            drop(self.hold.lock().await);
            match self.plan.lock().pop_front().flatten() {
                Some(fault) => Err(KeyServiceError::new("fake", fault, "as configured")),
                None => Ok(()),
            }
        }

        pub(crate) fn fail(&self, faults: impl IntoIterator<Item = KeyServiceFault>) {
            self.plan.lock().extend(faults.into_iter().map(Some));
        }

        pub(crate) fn count(&self) -> usize {
            self.calls.load(Ordering::SeqCst)
        }
    }

    #[async_trait]
    impl KeyService for FakeService {
        fn shown(&self) -> &str {
            "fake"
        }

        fn id(&self) -> Option<String> {
            Some("fake:1".to_owned())
        }

        async fn wrap(&self, context: &EncryptionContext<'_>, key: &[u8; 32]) -> Result<WrappedBy, KeyServiceError> {
            self.called().await?;
            let bytes = key.iter().rev().copied().chain(context.to_string().into_bytes()).collect();
            Ok(WrappedBy { kek_id: "fake:1".to_owned(), bytes })
        }

        async fn unwrap(&self, context: &EncryptionContext<'_>, wrapped: &[u8]) -> Result<LockedKey, KeyServiceError> {
            self.called().await?;
            match wrapped.split_first_chunk::<32>() {
                Some((key, bound)) if bound == context.to_string().as_bytes() => LockedKey::write(|plain| {
                    plain.copy_from_slice(key);
                    plain.reverse();
                    Ok(())
                }),
                _ => Err(KeyServiceError::new("fake", KeyServiceFault::DoesNotOpen, "another context")),
            }
        }
    }

    const SHORT: Patience = Patience { deadline: Duration::from_millis(200), pause: Duration::from_millis(200) };

    #[tokio::test]
    async fn a_failed_service_is_left_alone_for_a_moment_and_its_state_tells() {
        use KeyServiceFault::{DoesNotOpen, Unreachable};
        let service = FakeService::default();
        let key = RemoteKey::with_patience(service.clone(), SHORT);
        assert_eq!(key.state(), KeyServiceState::Answers);
        service.fail([Unreachable]);
        for _ in 0..3 {
            let error = key.wrap(&EncryptionContext::Probe, &[1; 32]).await.err().unwrap();
            assert_eq!(error.fault, Unreachable);
        }
        assert_eq!((service.count(), key.state()), (1, KeyServiceState::NeverAnswered(Unreachable)));
        tokio::time::sleep(SHORT.pause).await;
        key.probe().await.unwrap();
        assert_eq!((service.count(), key.state()), (2, KeyServiceState::Answers));
        service.fail([Unreachable]);
        assert!(key.probe().await.is_err());
        assert_eq!(key.state(), KeyServiceState::Fails(Unreachable));
        // That something does not open says nothing against the service.
        tokio::time::sleep(SHORT.pause).await;
        let wrapped = key.wrap(&EncryptionContext::Probe, &[1; 32]).await.unwrap().bytes;
        let error = key.unwrap(&EncryptionContext::CompiledCode, &wrapped).await.err().unwrap();
        assert_eq!((error.fault, key.state()), (DoesNotOpen, KeyServiceState::Answers));
        assert_eq!(key.unwrap(&EncryptionContext::Probe, &wrapped).await.unwrap().as_slice(), [1; 32]);
    }

    #[tokio::test]
    async fn a_service_that_hangs_is_given_up_and_those_behind_do_not_wait_for_it_in_turn() {
        let service = FakeService::default();
        let _held = service.hold.clone().lock_owned().await;
        let key = RemoteKey::with_patience(service.clone(), SHORT);
        let started = Instant::now();
        let calls = (0..50).map(|_| key.probe());
        let outcomes = futures_util::future::join_all(calls).await;
        assert!(outcomes.iter().all(Result::is_err));
        assert_eq!(service.count(), AT_ONCE);
        assert!(started.elapsed() < SHORT.deadline * 3, "they waited one after the other: {:?}", started.elapsed());
    }
}
