//! The order of deliveries. The schedule only chooses, so that it can be tested without a network: an account's events go to a
//! webhook one after the other, and a webhook, or an organisation, that takes long does not take the places of others.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use keyferry_store::{Delivery, Timestamp, WebhookKey};
use keyferry_types::ids::{LinkedAccountId, OrgId};

/// Attempts under way for one webhook.
const MOST_A_WEBHOOK: usize = 4;
/// For all webhooks of one organisation.
const MOST_AN_ORG: usize = 32;
/// Attempts under way for all webhooks.
pub const MOST_DELIVERIES: usize = 128;

/// Where an attempt takes place: there is one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    webhook: WebhookKey,
    account: LinkedAccountId,
}

impl Place {
    pub(super) fn of(delivery: &Delivery) -> Self {
        Self { webhook: delivery.webhook.clone(), account: delivery.account.clone() }
    }
}

/// What to do about a webhook.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Attempt this delivery now.
    Now(Delivery),
    /// Look again at this time.
    At(Timestamp),
}

/// What is under way, and what is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Webhooks to examine, each once, in the order of their notifications.
    queue: VecDeque<WebhookKey>,
    queued: HashSet<WebhookKey>,
    /// Those for which there was no room.
    held_up: Vec<WebhookKey>,
    /// When to look at which again.
    put_off: BTreeSet<(Timestamp, [u8; 12])>,
    keys: HashMap<[u8; 12], WebhookKey>,
    busy: HashMap<WebhookKey, HashSet<LinkedAccountId>>,
    orgs: HashMap<OrgId, usize>,
    under_way: usize,
}

impl Schedule {
    /// Has webhooks looked at.
    pub(super) fn note(&mut self, webhooks: impl IntoIterator<Item = WebhookKey>) {
        for key in webhooks {
            if self.queued.insert(key.clone()) {
                self.queue.push_back(key);
            }
        }
    }

    /// The next webhook to look at, if there is room for anything.
    pub(super) fn next_webhook(&mut self) -> Option<WebhookKey> {
        let now = Timestamp::now();
        while let Some((due, id)) = self.put_off.first().copied().filter(|(due, _)| *due <= now) {
            self.put_off.remove(&(due, id));
            let key = self.keys.get(&id).cloned();
            self.note(key);
        }
        while self.under_way < MOST_DELIVERIES {
            let key = self.queue.pop_front()?;
            self.queued.remove(&key);
            if self.room(&key) > 0 {
                return Some(key);
            }
            self.held_up.push(key);
        }
        None
    }

    /// What to do about a webhook, of what waits for it in the order in which it happened.
    pub(super) fn turns(&mut self, key: &WebhookKey, waiting: Vec<Delivery>, now: Timestamp) -> Vec<Turn> {
        let mut turns = Vec::new();
        let mut soonest: Option<Timestamp> = None;
        let mut taken: HashSet<LinkedAccountId> = self.busy.get(key).cloned().unwrap_or_default();
        for delivery in waiting {
            // Whatever happened to the account before comes first.
            if !taken.insert(delivery.account.clone()) {
                continue;
            }
            if delivery.due > now {
                soonest = Some(soonest.map_or(delivery.due, |soonest| soonest.min(delivery.due)));
                continue;
            }
            if self.room(key) == 0 {
                self.held_up.push(key.clone());
                break;
            }
            self.busy.entry(key.clone()).or_default().insert(delivery.account.clone());
            *self.orgs.entry(key.org.clone()).or_default() += 1;
            self.under_way += 1;
            turns.push(Turn::Now(delivery));
        }
        turns.extend(soonest.map(Turn::At));
        turns
    }

    /// Has a webhook looked at then.
    pub(super) fn put_off(&mut self, key: &WebhookKey, until: Timestamp) {
        self.keys.insert(*key.id.as_bytes(), key.clone());
        self.put_off.insert((until, *key.id.as_bytes()));
    }

    /// An attempt has ended.
    pub(super) fn done(&mut self, place: &Place) {
        let Place { webhook, account } = place;
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
        let held_up = std::mem::take(&mut self.held_up);
        self.note(held_up);
        self.note([webhook.clone()]);
    }

    /// Returns when something that was put off is due; never where there is nothing.
    pub(super) async fn next_due(&self) {
        let Some((due, _)) = self.put_off.first() else { return std::future::pending().await };
        let left = due.as_millis().saturating_sub(Timestamp::now().as_millis());
        tokio::time::sleep(std::time::Duration::from_millis(left.max(1))).await;
    }

    /// How many more attempts there can be for a webhook.
    fn room(&self, key: &WebhookKey) -> usize {
        let of_webhook = MOST_A_WEBHOOK.saturating_sub(self.busy.get(key).map_or(0, HashSet::len));
        let of_org = MOST_AN_ORG.saturating_sub(self.orgs.get(&key.org).copied().unwrap_or(0));
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
    fn shown(turns: &[Turn]) -> (Vec<u64>, Option<Timestamp>) {
        let places = turns.iter().filter_map(|turn| match turn {
            Turn::Now(delivery) => Some(delivery.place),
            Turn::At(_) => None,
        });
        let due = turns.iter().find_map(|turn| match turn {
            Turn::Now(_) => None,
            Turn::At(due) => Some(*due),
        });
        (places.collect(), due)
    }

    #[test]
    fn an_account_is_told_of_one_thing_after_the_other_and_one_that_has_to_wait_stops_no_other() {
        let key = webhook("acme");
        let mut schedule = Schedule::default();
        let all = waiting(&key, &[("a", 0), ("a", 0), ("b", 50), ("b", 0), ("c", 0)]);
        let turns = schedule.turns(&key, all.clone(), at(10));
        assert_eq!(shown(&turns), (vec![0, 4], Some(at(50))));
        // Nothing new while they are under way.
        assert_eq!(shown(&schedule.turns(&key, all.clone(), at(10))).0, Vec::<u64>::new());
        schedule.done(&Place::of(&all[0]));
        assert_eq!(schedule.next_webhook(), Some(key.clone()));
        assert_eq!(shown(&schedule.turns(&key, all[1..].to_vec(), at(10))).0, [1]);
    }

    #[test]
    fn a_webhook_an_organisation_and_all_together_have_only_so_many_places() {
        let mut schedule = Schedule::default();
        let accounts: Vec<(String, u64)> = (0..20).map(|n| (format!("account_{n}"), 0)).collect();
        let accounts: Vec<(&str, u64)> = accounts.iter().map(|(name, due)| (name.as_str(), *due)).collect();
        let mut begun = 0;
        for _ in 0..20 {
            let key = webhook("acme");
            let turns = schedule.turns(&key, waiting(&key, &accounts), at(1));
            assert!(shown(&turns).0.len() <= MOST_A_WEBHOOK);
            begun += shown(&turns).0.len();
        }
        assert_eq!(begun, MOST_AN_ORG);
        for number in 0..40 {
            let key = webhook(&format!("org_{number}"));
            begun += shown(&schedule.turns(&key, waiting(&key, &accounts), at(1))).0.len();
        }
        assert_eq!(begun, MOST_DELIVERIES);
        assert_eq!(schedule.next_webhook(), None);
    }

    #[test]
    fn whoever_found_no_place_is_looked_at_when_one_is_free() {
        let (mut schedule, key) = (Schedule::default(), webhook("acme"));
        let names = ["a", "b", "c", "d", "e"].map(|name| (name, 0));
        let all = waiting(&key, &names);
        assert_eq!(shown(&schedule.turns(&key, all.clone(), at(1))).0, [0, 1, 2, 3]);
        schedule.note([key.clone()]);
        assert_eq!(schedule.next_webhook(), None, "it has no place left");
        schedule.done(&Place::of(&all[2]));
        assert_eq!(schedule.next_webhook(), Some(key.clone()));
        assert_eq!(shown(&schedule.turns(&key, all[3..].to_vec(), at(1))).0, [4]);
    }

    #[tokio::test]
    async fn what_was_put_off_is_looked_at_in_its_time() {
        let (mut schedule, key) = (Schedule::default(), webhook("acme"));
        schedule.put_off(&key, Timestamp::now().after(std::time::Duration::from_millis(30)));
        assert_eq!(schedule.next_webhook(), None);
        while schedule.next_webhook().is_none() {
            schedule.next_due().await;
        }
        assert!(schedule.put_off.is_empty());
    }
}
