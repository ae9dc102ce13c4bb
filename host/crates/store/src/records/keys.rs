//! The keys of rows. Each component is preceded by its length, so that keys of different components differ, and a
//! prefix of whole components covers its own rows only, for all characters of an id.

use crate::{
    AccountKey, AccountPlace, IdempotencyKey, ImportKey, IntegrationKey, OAuthClientKey, ObjectId, Timestamp,
    WebhookKey, Work,
};
use keyferry_types::ids::{Environment, OrgId, Slug};

fn put(key: &mut Vec<u8>, component: &[u8]) {
    // Longer components do not fit a record anyway.
    key.extend_from_slice(&(component.len() as u64).to_be_bytes());
    key.extend_from_slice(component);
}

fn joined(components: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(components.iter().map(|component| component.len() + 8).sum::<usize>() + 20);
    for component in components {
        put(&mut key, component);
    }
    key
}

/// All rows of an organisation.
pub(crate) fn org(org: &OrgId) -> Vec<u8> {
    joined(&[org.as_str().as_bytes()])
}

/// All rows of an environment.
pub(super) fn environment(org: &OrgId, environment: Environment) -> Vec<u8> {
    joined(&[org.as_str().as_bytes(), environment.as_str().as_bytes()])
}

/// An account; and, as a prefix, its integrations and its sessions.
pub(super) fn account(key: &AccountKey) -> Vec<u8> {
    joined(&[key.org.as_str().as_bytes(), key.environment.as_str().as_bytes(), key.account.as_str().as_bytes()])
}

/// An account's place in the list of its environment, newest first.
pub(super) fn account_order(org: &OrgId, of: Environment, place: AccountPlace) -> Vec<u8> {
    let mut row = environment(org, of);
    row.extend_from_slice(&(u64::MAX - place.created_at.as_millis()).to_be_bytes());
    row.extend_from_slice(place.id.as_bytes());
    row
}

/// Key of an integration's row.
pub(super) fn integration(key: &IntegrationKey) -> Vec<u8> {
    let mut row = account(&key.account);
    put(&mut row, key.slug.as_str().as_bytes());
    row
}

/// A session of an account.
pub(super) fn session(key: &AccountKey, id: ObjectId) -> Vec<u8> {
    let mut row = account(key);
    row.extend_from_slice(id.as_bytes());
    row
}

/// Key of a root's row.
pub(super) fn root(of: &OrgId, key_id: u32) -> Vec<u8> {
    let mut row = org(of);
    row.extend_from_slice(&key_id.to_be_bytes());
    row
}

/// The organisation at the beginning of a row's key, such as a [`root`]'s.
pub(super) fn root_org(row: &[u8]) -> Option<OrgId> {
    let (length, rest) = row.split_first_chunk::<8>()?;
    let org = rest.get(..usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
    std::str::from_utf8(org).ok()?.parse().ok()
}

/// Key of the response that is stored for an idempotency key.
pub(super) fn idempotency(key: &IdempotencyKey) -> Vec<u8> {
    joined(&[key.org.as_str().as_bytes(), key.environment.as_str().as_bytes(), key.key.as_bytes()])
}

/// The end of a record that is kept for a while, in the order of time.
pub(super) fn end(expires_at: Timestamp, row: &[u8]) -> Vec<u8> {
    [expires_at.as_millis().to_be_bytes().as_slice(), row].concat()
}

/// Time and row of an [`end`].
pub(super) fn split_end(end: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (millis, row) = end.split_first_chunk::<8>()?;
    Some((Timestamp::from_millis(u64::from_be_bytes(*millis)), row))
}

/// An entry of an organisation's audit chain.
pub(crate) fn audit(of: &OrgId, seq: u64) -> Vec<u8> {
    let mut row = org(of);
    row.extend_from_slice(&seq.to_be_bytes());
    row
}

/// A webhook; and, as a prefix, what waits for it.
pub(super) fn webhook(key: &WebhookKey) -> Vec<u8> {
    let mut row = environment(&key.org, key.environment);
    row.extend_from_slice(key.id.as_bytes());
    row
}

/// An OAuth client.
pub(super) fn oauth_client(key: &OAuthClientKey) -> Vec<u8> {
    let mut row = oauth_clients_of(&key.org, key.environment, &key.slug);
    put(&mut row, key.name.as_str().as_bytes());
    row
}

/// The OAuth clients of an app.
pub(super) fn oauth_clients_of(org: &OrgId, of: Environment, slug: &Slug) -> Vec<u8> {
    let mut row = environment(org, of);
    put(&mut row, slug.as_str().as_bytes());
    row
}

/// Key of a waiting delivery's row.
pub(super) fn delivery(key: &WebhookKey, place: u64) -> Vec<u8> {
    let mut row = webhook(key);
    row.extend_from_slice(&place.to_be_bytes());
    row
}

/// A part of a component.
pub(super) fn component_part(sha256: &str, part: u32) -> Vec<u8> {
    [sha256.as_bytes(), &part.to_be_bytes()].concat()
}

/// A piece of work.
pub(super) fn work(work: &Work) -> Vec<u8> {
    let (kind, row) = match work {
        Work::Deliveries(key) => (0, webhook(key)),
        Work::Import(key) => (1, import(key)),
        Work::Renewal(key) => (2, integration(key)),
    };
    [[kind].as_slice(), &row].concat()
}

/// Key of an import's row.
pub(super) fn import(key: &ImportKey) -> Vec<u8> {
    let mut row = environment(&key.org, key.environment);
    row.extend_from_slice(key.id.as_bytes());
    row
}

/// A file that an environment has imported.
pub(super) fn file(key: &ImportKey, digest: &[u8; 32]) -> Vec<u8> {
    let mut row = environment(&key.org, key.environment);
    row.extend_from_slice(digest);
    row
}

/// Digest of an account and app, which finds duplicates among the rows of an import.
pub(super) fn place(import: ObjectId, place: &[u8; 16]) -> Vec<u8> {
    [import.as_bytes().as_slice(), place].concat()
}

/// A row of an import, in the order of the file; and, by the id alone, all of them.
pub(super) fn row(import: ObjectId, number: u64) -> Vec<u8> {
    [import.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}

/// Key of the counts of an app's rows.
pub(super) fn counts(import: ObjectId, slug: &str) -> Vec<u8> {
    [import.as_bytes().as_slice(), slug.as_bytes()].concat()
}

const QUEUED: u8 = 0;
const HELD: u8 = 1;

/// A row that is yet to be worked on, app by app in the order of the file.
pub(super) fn queued(import: ObjectId, slug: &Slug, number: u64) -> Vec<u8> {
    waiting(import, QUEUED, slug, number)
}

/// A row that has failed and can be tried again.
pub(super) fn held(import: ObjectId, slug: &Slug, number: u64) -> Vec<u8> {
    waiting(import, HELD, slug, number)
}

fn waiting(import: ObjectId, how: u8, slug: &Slug, number: u64) -> Vec<u8> {
    let mut row = [import.as_bytes().as_slice(), &[how]].concat();
    put(&mut row, slug.as_str().as_bytes());
    row.extend_from_slice(&number.to_be_bytes());
    row
}

/// All that are [`queued`] of an app.
pub(super) fn all_queued(import: ObjectId, slug: &Slug) -> Vec<u8> {
    let mut row = [import.as_bytes().as_slice(), &[QUEUED]].concat();
    put(&mut row, slug.as_str().as_bytes());
    row
}

/// All that are [`held`].
pub(super) fn all_held(import: ObjectId) -> Vec<u8> {
    [import.as_bytes().as_slice(), &[HELD]].concat()
}

/// App and number of a row that is [`held`].
pub(super) fn split_held(row: &[u8]) -> Option<(Slug, u64)> {
    let (length, rest) = row.get(13..)?.split_first_chunk::<8>()?;
    let (slug, number) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
    let slug = std::str::from_utf8(slug).ok()?.parse().ok()?;
    Some((slug, u64::from_be_bytes(number.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account_key(org: &str, environment: Environment, account: &str) -> AccountKey {
        AccountKey { org: org.parse().unwrap(), environment, account: account.parse().unwrap() }
    }

    fn any_account() -> impl Strategy<Value = AccountKey> {
        // Few characters, and those that separators are made of: collisions would be likely.
        ("[ab.]{1,3}", any::<bool>(), "[ab/:|.\u{e9}]{1,4}").prop_map(|(org, test, account)| {
            let environment = if test { Environment::Test } else { Environment::Production };
            account_key(&org, environment, &account)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn only_the_same_components_give_the_same_key(a in any_account(), b in any_account(), s in "[ab]{1,2}", t in "[ab]{1,2}") {
            prop_assert_eq!(account(&a) == account(&b), a == b);
            let a = IntegrationKey { account: a, slug: s.parse().unwrap() };
            let b = IntegrationKey { account: b, slug: t.parse().unwrap() };
            prop_assert_eq!(integration(&a) == integration(&b), a == b);
        }

        #[test]
        fn a_prefix_holds_its_own_rows_only(a in any_account(), b in any_account(), s in "[ab]{1,2}") {
            let row = integration(&IntegrationKey { account: b.clone(), slug: s.parse().unwrap() });
            prop_assert_eq!(row.starts_with(&account(&a)), a == b);
            prop_assert_eq!(row.starts_with(&org(&a.org)), a.org == b.org);
            prop_assert_eq!(
                row.starts_with(&environment(&a.org, a.environment)),
                a.org == b.org && a.environment == b.environment
            );
        }
    }

    #[test]
    fn rows_that_are_held_say_of_which_app_and_number_they_are() {
        let (import, slug) = (ObjectId::generate(), "hub-spot".parse::<Slug>().unwrap());
        let row = held(import, &slug, 258);
        assert!(row.starts_with(&all_held(import)));
        assert_eq!(split_held(&row), Some((slug.clone(), 258)));
        assert!(
            queued(import, &slug, 1) < queued(import, &slug, 256)
                && !queued(import, &slug, 1).starts_with(&all_held(import))
        );
        assert!(queued(import, &slug, 1).starts_with(&all_queued(import, &slug)));
        assert!(!queued(import, &"hub-spot2".parse().unwrap(), 1).starts_with(&all_queued(import, &slug)));
        assert_eq!(split_held(b"short"), None);
    }

    #[test]
    fn newer_accounts_come_first_and_ends_come_in_the_order_of_time() {
        let key = account_key("o", Environment::Test, "a");
        let id = ObjectId::generate();
        let at = Timestamp::from_millis;
        let order = |millis| account_order(&key.org, key.environment, AccountPlace { created_at: at(millis), id });
        assert!(order(2) < order(1));
        assert!(end(at(255), b"z") < end(at(256), b"a"));
        let acme: OrgId = "acme.1".parse().unwrap();
        assert_eq!(root_org(&root(&acme, 7)), Some(acme));
        assert_eq!(root_org(b"short"), None);
        assert_eq!(split_end(&end(at(7), b"row")), Some((at(7), b"row".as_slice())));
    }
}
