//! [`Deliverer`]: attempts to deliver, their results, and when they are repeated.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::claims::Claims;
use super::error::WebhookError;
use super::schedule::{AttemptKey, NextStep, Schedule};
use super::{message, secrets};
use keyferry_egress::{WebhookClient, WebhookRequest, WebhookResponse};
use keyferry_service::keys;
use keyferry_store::{
    Delivery, Settled, Store, StoreError, StoreHealth, Timestamp, WebhookMethod, WebhookRecord, WebhookState,
};
use keyferry_vault::Vault;

/// Attempts in all: the first one, and three more as documented.
const ATTEMPTS: u32 = 4;
/// The factor from one wait to the next.
const BACK_OFF: u32 = 5;
/// The age at which a delivery is given up.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest wait before one attempt that a receiver can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);
/// The delay after an attempt that failed on this server: the store is full, or the organisation's keys are unavailable.
const SERVER_FAULT_WAIT: Duration = Duration::from_secs(10);
/// The longest wait for running attempts when the server stops. Unsettled deliveries are repeated.
const DRAIN: Duration = Duration::from_secs(3);
/// How often a server looks for deliveries that other servers have left.
const LOOK: Duration = Duration::from_secs(1);
/// The number of waiting deliveries of one webhook that are examined at a time.
const LOOKED_AT: usize = 256;

/// The settings of deliveries.
#[derive(Debug, Clone)]
pub struct DeliverySettings {
    /// How long after a failed attempt the next one comes. The ones after that wait five times as long each, and each wait is
    /// up to a quarter shorter or longer.
    pub first_wait: Duration,
    /// How long a receiver may take to respond.
    pub response_time: Duration,
}

impl Default for DeliverySettings {
    /// 10, 50 and 250 seconds; 10 seconds.
    fn default() -> Self {
        Self { first_wait: Duration::from_secs(10), response_time: Duration::from_secs(10) }
    }
}

/// Delivers what waits in the store.
pub struct Deliverer {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    client: WebhookClient,
    settings: DeliverySettings,
}

/// Why an attempt failed.
enum AttemptError {
    /// The receiver or the network failed: the attempt counts. The receiver may have sent `Retry-After`.
    Receiver { reason: String, retry_after: Option<Duration> },
    /// There is no further attempt, however many there were.
    Final(&'static str),
    /// This server failed: the attempt does not count.
    Server(WebhookError),
}

impl Deliverer {
    /// A deliverer of what is in this store.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>, client: WebhookClient, settings: DeliverySettings) -> Self {
        Self { store, vault, client, settings }
    }

    /// Delivers until `stop` resolves.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let notifier = self.store.webhook_notifier();
        let mut schedule = Schedule::default();
        let mut attempts = JoinSet::new();
        let mut claims = Claims::new(Arc::clone(&self.store));
        self.load_waiting(&mut schedule).await;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stop);
        loop {
            self.begin(&mut schedule, &mut attempts, &mut claims).await;
            tokio::select! {
                notified = notifier.notified() => schedule.enqueue(notified),
                Some(done) = attempts.join_next() => match done {
                    Ok(key) => schedule.done(&key),
                    Err(error) => tracing::error!(%error, "the task of a webhook delivery failed"),
                },
                () = schedule.next_due() => {}
                _ = look.tick(), if claims.are_needed() => self.look(&mut schedule, &mut claims).await,
                () = &mut stop => break,
            }
        }
        let rest = async { while attempts.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, rest).await.is_err() {
            tracing::info!("deliveries to webhooks are unfinished; they are repeated after the next start");
        }
    }

    /// Schedules the deliveries that an earlier process has left.
    async fn load_waiting(&self, schedule: &mut Schedule) {
        loop {
            match self.store.awaited_webhooks().await {
                Ok(keys) => return schedule.enqueue(keys),
                Err(StoreError::Failed { .. } | StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "the webhooks' waiting deliveries cannot be read");
                    tokio::time::sleep(SERVER_FAULT_WAIT).await;
                }
            }
        }
    }

    /// Schedules what other servers have left: events of their requests, and deliveries of servers that have ended.
    async fn look(&self, schedule: &mut Schedule, claims: &mut Claims) {
        match self.store.awaited_webhooks().await {
            Ok(keys) => {
                claims.release_idle(&keys, schedule).await;
                schedule.enqueue(keys);
            }
            Err(error) => tracing::debug!(%error, "the webhooks' waiting deliveries cannot be read"),
        }
    }

    /// Begins all attempts that the schedule allows.
    async fn begin(self: &Arc<Self>, schedule: &mut Schedule, attempts: &mut JoinSet<AttemptKey>, claims: &mut Claims) {
        while let Some(key) = schedule.next_webhook() {
            if !claims.take(&key).await {
                continue;
            }
            let waiting = match self.store.outbox(&key, LOOKED_AT).await {
                Ok(waiting) => waiting,
                Err(error) => {
                    tracing::error!(webhook = %key.id, %error, "a webhook's waiting deliveries cannot be read");
                    schedule.postpone(&key, Timestamp::now().after(SERVER_FAULT_WAIT));
                    continue;
                }
            };
            for step in schedule.next_steps(&key, waiting, Timestamp::now()) {
                match step {
                    NextStep::Attempt(delivery) => {
                        let this = Arc::clone(self);
                        attempts.spawn(async move { this.attempt(delivery).await });
                    }
                    NextStep::WaitUntil(due) => schedule.postpone(&key, due),
                }
            }
        }
    }

    /// Makes one attempt and stores its result.
    async fn attempt(&self, delivery: Delivery) -> AttemptKey {
        let key = AttemptKey::from_delivery(&delivery);
        let settled = match self.call(&delivery).await {
            Ok(()) => Some((Delivery { attempts: delivery.attempts + 1, ..delivery }, Settled::Delivered)),
            Err(AttemptError::Receiver { reason, retry_after }) => {
                Some(self.reschedule(Delivery { attempts: delivery.attempts + 1, ..delivery }, reason, retry_after))
            }
            Err(AttemptError::Final(reason)) => Some(given_up(delivery, reason.to_owned())),
            Err(AttemptError::Server(error)) => {
                tracing::error!(webhook = %delivery.webhook.id, %error, "a webhook cannot be called for now");
                None
            }
        };
        let written = match settled {
            Some(settled) => self.store.settle(vec![settled]).await,
            None => Err(StoreError::Closed),
        };
        if written.is_err() {
            // The delivery is still due: without a pause it would be attempted in a busy loop.
            tokio::time::sleep(SERVER_FAULT_WAIT).await;
        }
        key
    }

    /// Calls the webhook. A response of 200 completes the delivery.
    async fn call(&self, delivery: &Delivery) -> Result<(), AttemptError> {
        // A delivery that cannot be recorded would be repeated again and again.
        if self.store.health() != StoreHealth::Ready {
            return Err(AttemptError::Server(WebhookError::StoreNotReady));
        }
        let store_error = |error| AttemptError::Server(WebhookError::Store(error));
        let record = self.store.webhook(&delivery.webhook).await.map_err(store_error)?;
        // Deliveries to a deleted webhook are removed.
        let record = record.ok_or(AttemptError::Final("the webhook was deleted"))?;
        if record.state == WebhookState::Disabled {
            return Err(AttemptError::Final("the webhook was disabled"));
        }
        if delivery.at.after(OLDEST) <= Timestamp::now() {
            return Err(AttemptError::Final("it could not be delivered within 24 hours"));
        }
        let unsent = |reason: String| AttemptError::Receiver { reason, retry_after: None };
        let url = self.client.url(&record.url).map_err(|error| unsent(error.to_string()))?;
        let opened = self.open(&record).await.map_err(AttemptError::Server)?;
        let body = message::body(delivery);
        let ours = message::headers(delivery, &body, &opened.signing_secret).map_err(AttemptError::Server)?;
        let method = match record.method {
            WebhookMethod::Post => http::Method::POST,
            WebhookMethod::Put => http::Method::PUT,
            WebhookMethod::Patch => http::Method::PATCH,
        };
        let request = WebhookRequest { url: &url, method, headers: &opened.headers, ours, body };
        match self.client.call(request).await {
            Ok(WebhookResponse { status: 200, .. }) => Ok(()),
            Ok(WebhookResponse { status, wait }) => Err(AttemptError::Receiver {
                reason: format!("{} responded with {status}, and 200 is needed", url.host()),
                retry_after: wait,
            }),
            Err(error) => Err(unsent(error.to_string())),
        }
    }

    async fn open(&self, record: &WebhookRecord) -> Result<secrets::Opened, WebhookError> {
        let org = &record.key.org;
        keys::unlock(self.store.as_ref(), &self.vault, org).await.map_err(WebhookError::of_keys)?;
        secrets::open(&self.vault, record)
    }

    /// Reschedules a failed delivery, or gives it up.
    fn reschedule(&self, delivery: Delivery, reason: String, retry_after: Option<Duration>) -> (Delivery, Settled) {
        if delivery.attempts >= ATTEMPTS {
            return given_up(delivery, reason);
        }
        let wait = backoff(self.settings.first_wait, delivery.attempts, fastrand::f32(), retry_after);
        tracing::info!(
            webhook = %delivery.webhook.id, delivery = %delivery.id, attempt = delivery.attempts, ?wait, reason,
            "a delivery to a webhook failed and will be retried"
        );
        (delivery, Settled::Again(Timestamp::now().after(wait)))
    }
}

fn given_up(delivery: Delivery, reason: String) -> (Delivery, Settled) {
    tracing::warn!(
        webhook = %delivery.webhook.id, delivery = %delivery.id, event = %delivery.event, attempts = delivery.attempts,
        reason, "a delivery to a webhook was given up"
    );
    (delivery, Settled::GivenUp { reason, at: Timestamp::now() })
}

/// The delay after this number of attempts; `luck` is from 0 to 1, and spreads retries over time. A receiver that asked for a
/// longer wait gets it.
fn backoff(first: Duration, attempts: u32, luck: f32, retry_after: Option<Duration>) -> Duration {
    let plain = first.saturating_mul(BACK_OFF.saturating_pow(attempts.saturating_sub(1)));
    plain.mul_f32(0.75 + luck.clamp(0.0, 1.0) / 2.0).max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_five_times_the_one_before_give_or_take_a_quarter() {
        let first = Duration::from_secs(10);
        for (attempts, seconds) in [(1, 10.0), (2, 50.0), (3, 250.0)] {
            for (luck, factor) in [(0.0, 0.75), (0.5, 1.0), (1.0, 1.25)] {
                assert_eq!(backoff(first, attempts, luck, None).as_secs_f32(), seconds * factor);
            }
        }
    }

    #[test]
    fn a_receiver_that_asks_for_a_longer_wait_gets_it_up_to_an_hour() {
        let first = Duration::from_secs(10);
        for (asked, seconds) in [(0, 10), (7, 10), (11, 11), (600, 600), (86_400, 3600)] {
            assert_eq!(
                backoff(first, 1, 0.5, Some(Duration::from_secs(asked))),
                Duration::from_secs(seconds),
                "{asked}"
            );
        }
    }
}
