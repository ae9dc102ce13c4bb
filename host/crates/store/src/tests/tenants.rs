//! API keys and roots.

use super::engines::{Kind, Scratch};
use super::records::*;
use crate::*;

fn new(byte: u8, of: &str, root: Option<RootRecord>) -> NewApiKey {
    NewApiKey { record: api_key(byte, of.parse().unwrap()), root, audit: event(AuditAction::ApiKeyCreated) }
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_after_reopening() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        store.create_api_key(new(1, "acme", Some(root(1, 9)))).await.unwrap();
        assert!(matches!(store.create_api_key(new(1, "acme", None)).await, Err(StoreError::ApiKeyExists)));
        let store = store.reopened().await;
        assert_eq!(store.api_key(&[1; 32]).await.unwrap(), Some(api_key(1, org())));
        assert_eq!(store.api_key(&[2; 32]).await.unwrap(), None);
        assert_eq!(store.roots(&org()).await.unwrap(), [root(1, 9)]);
    }
}

#[tokio::test]
async fn only_an_organisations_first_key_brings_its_root() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        let (first, second, third) = tokio::join!(
            store.create_api_key(new(1, "acme", Some(root(1, 1)))),
            store.create_api_key(new(2, "acme", Some(root(1, 2)))),
            store.create_api_key(new(3, "acm", Some(root(1, 3)))),
        );
        first.and(second).and(third).unwrap();
        assert_eq!(store.roots(&org()).await.unwrap(), [root(1, 1)], "what was sealed under the first root is lost");
        assert_eq!(store.roots(&"acm".parse().unwrap()).await.unwrap(), [root(1, 3)]);
        let labels: Vec<u8> = store.api_keys(&org()).await.unwrap().iter().map(|key| key.hash[0]).collect();
        assert_eq!(labels, [1, 2]);
    }
}

#[tokio::test]
async fn a_key_is_revoked_by_its_own_organisation_once() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        store.create_api_key(new(1, "acme", None)).await.unwrap();
        let mut audit = event(AuditAction::ApiKeyRevoked);
        audit.at = at(5_000);
        let other = "umbrella".parse().unwrap();
        assert_eq!(store.revoke_api_key(&other, &[1; 32], audit.clone()).await.unwrap(), None);
        let revoked = store.revoke_api_key(&org(), &[1; 32], audit.clone()).await.unwrap().unwrap();
        assert_eq!(revoked.revoked_at, Some(at(5_000)));
        audit.at = at(6_000);
        assert_eq!(store.revoke_api_key(&org(), &[1; 32], audit).await.unwrap(), Some(revoked.clone()));
        assert_eq!(store.api_key(&[1; 32]).await.unwrap(), Some(revoked));
        assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 2);
    }
}

#[tokio::test]
async fn roots_are_numbered_upwards_and_leave_use_in_order() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        store.create_api_key(new(1, "acme", Some(root(1, 1)))).await.unwrap();
        let event = || event(AuditAction::KeyRotated);
        for number in [0, 1, 3] {
            let refused = store.add_root(&org(), root(number, 9), event()).await;
            assert!(matches!(refused, Err(StoreError::Root { .. })), "{number}");
        }
        assert!(store.add_root(&"nobody".parse().unwrap(), root(1, 9), event()).await.is_err(), "it has no first one");
        store.add_root(&org(), root(2, 2), event()).await.unwrap();

        with_account(&*store, "user_1").await;
        let under = |key_id: u32, version: u64| {
            let mut write = migration("user_1", "hubspot", version);
            write.record.key_id = key_id;
            write
        };
        store.commit_migration(under(1, 1)).await.unwrap();
        assert_eq!(store.sealed_under(&org()).await.unwrap().into_iter().collect::<Vec<_>>(), [(1, 1)]);
        let key = under(1, 1).record.key();
        let reseal = |version: u64, from: u32, to: u32| Reseal {
            key: key.clone(),
            version,
            from,
            to,
            envelope: vec![7; 9],
            audit: event(),
        };
        assert!(!store.reseal(reseal(2, 1, 2)).await.unwrap(), "another version");
        assert!(!store.reseal(reseal(1, 2, 1)).await.unwrap(), "sealed under another root");
        assert!(store.reseal(reseal(1, 1, 2)).await.unwrap());
        let stored = store.integration(&key).await.unwrap().unwrap();
        assert_eq!((stored.version, stored.key_id, stored.envelope), (1, 2, vec![7; 9]));

        let acme = org();
        let change = |key_id, change| store.change_root(&acme, key_id, change, event());
        assert!(change(2, RootChange::Disable).await.is_err(), "it seals");
        assert!(change(1, RootChange::Destroy).await.is_err(), "it is in use");
        change(1, RootChange::Disable).await.unwrap();
        // A writer that has opened it before gets the error that it is disabled.
        let stale = store.commit_migration(under(1, 2)).await;
        assert!(matches!(stale, Err(StoreError::StaleRoot { key_id: 1, .. })));
        assert!(matches!(store.reseal(reseal(1, 2, 1)).await, Err(StoreError::StaleRoot { key_id: 1, .. })));
        change(1, RootChange::Destroy).await.unwrap();
        assert!(matches!(store.commit_migration(under(1, 2)).await, Err(StoreError::StaleRoot { .. })));
        store.commit_migration(under(2, 2)).await.unwrap();
        assert_eq!(store.roots(&org()).await.unwrap(), [root(2, 2)]);
    }
}

#[tokio::test]
async fn a_root_gets_other_forms_only_where_it_is_as_expected() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        store.create_api_key(new(1, "acme", Some(root(1, 1)))).await.unwrap();
        store.create_api_key(new(2, "acme.b", Some(root(1, 2)))).await.unwrap();
        let form = |by: &str, byte: u8| Wrapping { kek_id: by.to_owned(), wrapped: vec![byte; 50] };
        let first = root(1, 1).wrappings();
        let rewrap = |key_id: u32, from: &[Wrapping], to: &[Wrapping]| {
            let audit = event(AuditAction::KeyRewrapped);
            store.rewrap_root(Rewrap { org: org(), key_id, from: from.to_vec(), to: to.to_vec(), audit })
        };
        let both = [first[0].clone(), form("new", 9)];
        assert!(!rewrap(1, &both, &first).await.unwrap(), "it has another form");
        assert!(matches!(rewrap(2, &first, &both).await, Err(StoreError::Root { key_id: 2, .. })));
        assert!(matches!(rewrap(1, &first, &[]).await, Err(StoreError::Contradiction(_))));
        assert!(rewrap(1, &first, &both).await.unwrap());
        assert!(!rewrap(1, &first, &both).await.unwrap(), "it was done already");
        let store = store.reopened().await;
        let all = store.all_roots().await.unwrap();
        let forms: Vec<_> = all.iter().map(|(org, root)| (org.as_str(), root.wrappings())).collect();
        assert_eq!(forms, [("acme", both.to_vec()), ("acme.b", root(1, 2).wrappings())]);
        let audit = event(AuditAction::KeyRewrapped);
        let last = Rewrap { org: org(), key_id: 1, from: both.to_vec(), to: vec![form("new", 9)], audit };
        assert!(store.rewrap_root(last).await.unwrap());
        assert_eq!(store.roots(&org()).await.unwrap()[0].wrappings(), [form("new", 9)]);
        assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 3);
    }
}
