//! The order of deliveries. The schedule only chooses, so that it can be tested without a network: an account's events go to a
//! webhook one after the other, and a webhook, or an organisation, that takes long does not take the places of others.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use keyferry_store::{Delivery, Timestamp, WebhookKey};
use keyferry_types::ids::{LinkedAccountId, OrgId};

/// Attempts under way for one webhook.
const MOST_PER_WEBHOOK: usize = 4;
/// For all webhooks of one organisation.
const MOST_PER_ORG: usize = 32;
/// Attempts under way for all webhooks.
pub const MOST_DELIVERIES: usize = 128;

/// A webhook and an account: one attempt at a time for each pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttemptKey {
    webhook: WebhookKey,
    account: LinkedAccountId,
}

impl AttemptKey {
    pub(super) fn from_delivery(delivery: &Delivery) -> Self {
        Self { webhook: delivery.webhook.clone(), account: delivery.account.clone() }
    }
}

/// What to do for a webhook.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Attempt this delivery now.
    Attempt(Delivery),
    /// Look again at this time.
    WaitUntil(Timestamp),
}

/// The attempts under way, and the webhooks to examine.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Webhooks to examine, each once, in the order of their notifications.
    queue: VecDeque<WebhookKey>,
    queued: HashSet<WebhookKey>,
    /// Webhooks that wait for a running attempt to end.
    blocked: Vec<WebhookKey>,
    /// Webhooks to examine later, in the order of time.
    postponed: BTreeSet<(Timestamp, [u8; 12])>,
    keys: HashMap<[u8; 12], WebhookKey>,
    busy: HashMap<WebhookKey, HashSet<LinkedAccountId>>,
    orgs: HashMap<OrgId, usize>,
    under_way: usize,
}

impl Schedule {
    /// Has webhooks examined.
    pub(super) fn enqueue(&mut self, webhooks: impl IntoIterator<Item = WebhookKey>) {
        for key in webhooks {
            if self.queued.insert(key.clone()) {
                self.queue.push_back(key);
            }
        }
    }

    /// The next webhook to examine, if an attempt could begin.
    pub(super) fn next_webhook(&mut self) -> Option<WebhookKey> {
        let now = Timestamp::now();
        while let Some((due, id)) = self.postponed.first().copied().filter(|(due, _)| *due <= now) {
            self.postponed.remove(&(due, id));
            let key = self.keys.get(&id).cloned();
            self.enqueue(key);
        }
        while self.under_way < MOST_DELIVERIES {
            let key = self.queue.pop_front()?;
            self.queued.remove(&key);
            if self.room(&key) > 0 {
                return Some(key);
            }
            self.blocked.push(key);
        }
        None
    }

    /// What to do for a webhook whose waiting deliveries are given, oldest event first.
    pub(super) fn next_steps(&mut self, key: &WebhookKey, waiting: Vec<Delivery>, now: Timestamp) -> Vec<NextStep> {
        let mut steps = Vec::new();
        let mut soonest: Option<Timestamp> = None;
        let mut taken: HashSet<LinkedAccountId> = self.busy.get(key).cloned().unwrap_or_default();
        for delivery in waiting {
            // Earlier events of the account come first.
            if !taken.insert(delivery.account.clone()) {
                continue;
            }
            if delivery.due > now {
                soonest = Some(soonest.map_or(delivery.due, |soonest| soonest.min(delivery.due)));
                continue;
            }
            if self.room(key) == 0 {
                self.blocked.push(key.clone());
                break;
            }
            self.busy.entry(key.clone()).or_default().insert(delivery.account.clone());
            *self.orgs.entry(key.org.clone()).or_default() += 1;
            self.under_way += 1;
            steps.push(NextStep::Attempt(delivery));
        }
        steps.extend(soonest.map(NextStep::WaitUntil));
        steps
    }

    /// Has a webhook examined at that time.
    pub(super) fn postpone(&mut self, key: &WebhookKey, until: Timestamp) {
        self.keys.insert(*key.id.as_bytes(), key.clone());
        self.postponed.insert((until, *key.id.as_bytes()));
    }

    /// An attempt has ended.
    pub(super) fn done(&mut self, key: &AttemptKey) {
        let AttemptKey { webhook, account } = key;
        if let Some(accounts) = self.busy.get_mut(webhook) {
            accounts.remove(account);
            if accounts.is_empty() {
                self.busy.remove(webhook);
            }
        }
        if let Some(count) = self.orgs.get_mut(&webhook.org) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.orgs.remove(&webhook.org);
            }
        }
        self.under_way = self.under_way.saturating_sub(1);
        let blocked = std::mem::take(&mut self.blocked);
        self.enqueue(blocked);
        self.enqueue([webhook.clone()]);
    }

    /// Whether an attempt for a webhook is under way.
    pub(super) fn is_busy(&self, key: &WebhookKey) -> bool {
        self.busy.contains_key(key)
    }

    /// Returns when a postponed webhook is due; never if there is none.
    pub(super) async fn next_due(&self) {
        let Some((due, _)) = self.postponed.first() else { return std::future::pending().await };
        let left = due.as_millis().saturating_sub(Timestamp::now().as_millis());
        tokio::time::sleep(std::time::Duration::from_millis(left.max(1))).await;
    }

    /// How many more attempts there can be for a webhook.
    fn room(&self, key: &WebhookKey) -> usize {
        let of_webhook = MOST_PER_WEBHOOK.saturating_sub(self.busy.get(key).map_or(0, HashSet::len));
        let of_org = MOST_PER_ORG.saturating_sub(self.orgs.get(&key.org).copied().unwrap_or(0));
        of_webhook.min(of_org).min(MOST_DELIVERIES.saturating_sub(self.under_way))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_store::{ConnectionEvent, ObjectId};
    use keyferry_types::ids::Environment;

    fn webhook(org: &str) -> WebhookKey {
        WebhookKey { org: org.parse().unwrap(), environment: Environment::Test, id: ObjectId::generate() }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// What waits: of each account, when it is due.
    fn waiting(webhook: &WebhookKey, what: &[(&str, u64)]) -> Vec<Delivery> {
        let one = |(place, (account, due)): (usize, &(&str, u64))| Delivery {
            webhook: webhook.clone(),
            place: place as u64,
            id: ObjectId::generate(),
            event: ConnectionEvent::Created,
            account: account.parse().unwrap(),
            slug: "stripe".parse().unwrap(),
            at: at(0),
            attempts: 0,
            due: at(*due),
        };
        what.iter().enumerate().map(one).collect()
    }

    /// The places of what is attempted, and when to look again.
    fn shown(steps: &[NextStep]) -> (Vec<u64>, Option<Timestamp>) {
        let places = steps.iter().filter_map(|step| match step {
            NextStep::Attempt(delivery) => Some(delivery.place),
            NextStep::WaitUntil(_) => None,
        });
        let due = steps.iter().find_map(|step| match step {
            NextStep::Attempt(_) => None,
            NextStep::WaitUntil(due) => Some(*due),
        });
        (places.collect(), due)
    }

    #[test]
    fn an_account_is_told_of_one_thing_after_the_other_and_one_that_has_to_wait_stops_no_other() {
        let key = webhook("acme");
        let mut schedule = Schedule::default();
        let all = waiting(&key, &[("a", 0), ("a", 0), ("b", 50), ("b", 0), ("c", 0)]);
        let steps = schedule.next_steps(&key, all.clone(), at(10));
        assert_eq!(shown(&steps), (vec![0, 4], Some(at(50))));
        // Nothing new while they are under way.
        assert_eq!(shown(&schedule.next_steps(&key, all.clone(), at(10))).0, Vec::<u64>::new());
        schedule.done(&AttemptKey::from_delivery(&all[0]));
        assert_eq!(schedule.next_webhook(), Some(key.clone()));
        assert_eq!(shown(&schedule.next_steps(&key, all[1..].to_vec(), at(10))).0, [1]);
    }

    #[test]
    fn a_webhook_an_organisation_and_all_together_have_only_so_many_places() {
        let mut schedule = Schedule::default();
        let accounts: Vec<(String, u64)> = (0..20).map(|n| (format!("account_{n}"), 0)).collect();
        let accounts: Vec<(&str, u64)> = accounts.iter().map(|(name, due)| (name.as_str(), *due)).collect();
        let mut begun = 0;
        for _ in 0..20 {
            let key = webhook("acme");
            let steps = schedule.next_steps(&key, waiting(&key, &accounts), at(1));
            assert!(shown(&steps).0.len() <= MOST_PER_WEBHOOK);
            begun += shown(&steps).0.len();
        }
        assert_eq!(begun, MOST_PER_ORG);
        for number in 0..40 {
            let key = webhook(&format!("org_{number}"));
            begun += shown(&schedule.next_steps(&key, waiting(&key, &accounts), at(1))).0.len();
        }
        assert_eq!(begun, MOST_DELIVERIES);
        assert_eq!(schedule.next_webhook(), None);
    }

    #[test]
    fn a_webhook_that_found_no_place_is_examined_when_one_is_free() {
        let (mut schedule, key) = (Schedule::default(), webhook("acme"));
        let names = ["a", "b", "c", "d", "e"].map(|name| (name, 0));
        let all = waiting(&key, &names);
        assert_eq!(shown(&schedule.next_steps(&key, all.clone(), at(1))).0, [0, 1, 2, 3]);
        schedule.enqueue([key.clone()]);
        assert_eq!(schedule.next_webhook(), None, "it has no place left");
        schedule.done(&AttemptKey::from_delivery(&all[2]));
        assert_eq!(schedule.next_webhook(), Some(key.clone()));
        assert_eq!(shown(&schedule.next_steps(&key, all[3..].to_vec(), at(1))).0, [4]);
    }

    #[tokio::test]
    async fn what_was_postponed_is_looked_at_in_its_time() {
        let (mut schedule, key) = (Schedule::default(), webhook("acme"));
        schedule.postpone(&key, Timestamp::now().after(std::time::Duration::from_millis(30)));
        assert_eq!(schedule.next_webhook(), None);
        while schedule.next_webhook().is_none() {
            schedule.next_due().await;
        }
        assert!(schedule.postponed.is_empty());
    }
}
