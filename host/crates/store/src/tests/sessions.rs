//! Sessions: their limits, the accounts and keys that they depend on, and their end.

use super::engines::{Kind, Scratch};
use super::records::*;
use crate::*;

fn session(account: &str, number: u64) -> NewSession {
    let key = account_key(account);
    let record = SessionRecord {
        id: ObjectId::generate(),
        org: key.org,
        environment: key.environment,
        account: key.account,
        key_id: 1,
        made_by: [7; 32],
        issued_at: at(number),
        expires_at: at(number + 10_000),
        refresh_expires_at: at(number + 20_000),
    };
    let audit = AuditEvent { at: at(number), ..event(AuditAction::SessionOpened) };
    NewSession { record, replaces: None, audit }
}

async fn store(kind: Kind) -> Scratch {
    let store = Scratch::new(kind).await;
    let key = NewApiKey { record: api_key(1, org()), root: Some(root(1, 1)), audit: event(AuditAction::ApiKeyCreated) };
    store.create_api_key(key).await.unwrap();
    with_account(&*store, "a").await;
    store
}

#[tokio::test]
async fn the_oldest_ends_where_there_would_be_too_many_and_those_that_are_over_are_forgotten() {
    for kind in Kind::all() {
        let store = store(kind).await;
        let mut ids = Vec::new();
        for number in 1..=33 {
            let new = session("a", number);
            ids.push(new.record.id);
            store.create_session(new).await.unwrap();
        }
        let kept = |sessions: Vec<SessionRecord>| sessions.iter().map(|session| session.id).collect::<Vec<_>>();
        assert_eq!(kept(store.sessions(&account_key("a")).await.unwrap()), ids[1..]);
        // All but the last have expired by then.
        let late = session("a", 20_032);
        let last = late.record.id;
        store.create_session(late).await.unwrap();
        let store = store.reopened().await;
        assert_eq!(kept(store.sessions(&account_key("a")).await.unwrap()), [ids[32], last]);
    }
}

#[tokio::test]
async fn one_ends_with_its_account_or_by_being_replaced_and_nobody_elses_does() {
    for kind in Kind::all() {
        let store = store(kind).await;
        with_account(&*store, "ab").await;
        let (first, neighbour) = (session("a", 1), session("ab", 1));
        store.create_session(first.clone()).await.unwrap();
        store.create_session(neighbour.clone()).await.unwrap();
        let next = NewSession { replaces: Some(first.record.id), ..session("a", 2) };
        store.create_session(next.clone()).await.unwrap();
        assert_eq!(store.sessions(&account_key("a")).await.unwrap(), vec![next.record.clone()]);
        let twice = NewSession { replaces: Some(first.record.id), ..session("a", 3) };
        assert!(matches!(store.create_session(twice).await, Err(StoreError::SessionEnded)));

        let before = store.audit_tail(&org(), 100).await.unwrap().len();
        let (key, audit) = (account_key("a"), event(AuditAction::SessionRevoked));
        assert_eq!(store.reuse_session(&key, first.record.id, audit.clone()).await.unwrap(), None);
        assert!(!store.end_session(&key, first.record.id, audit.clone()).await.unwrap());
        assert_eq!(
            store.audit_tail(&org(), 100).await.unwrap().len(),
            before,
            "what is not there is neither read nor ended"
        );
        assert!(store.reuse_session(&key, next.record.id, audit.clone()).await.unwrap().is_some());
        assert!(store.end_session(&key, next.record.id, audit).await.unwrap());
        assert_eq!(store.audit_tail(&org(), 100).await.unwrap().len(), before + 2);

        store.create_session(session("a", 4)).await.unwrap();
        store.delete_account(&key, event(AuditAction::AccountDeleted)).await.unwrap();
        assert_eq!(store.sessions(&key).await.unwrap(), []);
        assert_eq!(store.sessions(&account_key("ab")).await.unwrap(), [neighbour.record]);
        assert!(matches!(store.create_session(session("a", 5)).await, Err(StoreError::AccountMissing { .. })));
    }
}

#[tokio::test]
async fn none_is_made_that_hangs_on_a_root_out_of_use() {
    for kind in Kind::all() {
        let store = store(kind).await;
        let event = || event(AuditAction::KeyRotated);
        store.add_root(&org(), root(2, 2), event()).await.unwrap();
        store.change_root(&org(), 1, RootChange::Disable, event()).await.unwrap();
        assert!(matches!(store.create_session(session("a", 1)).await, Err(StoreError::StaleRoot { key_id: 1, .. })));
    }
}

#[tokio::test]
async fn an_account_and_its_integration_are_written_together_or_not_at_all() {
    for kind in Kind::all() {
        let store = store(kind).await;
        let put = |account: &str| put(PutMode::Create, account);
        store.put_account_with(put("new"), migration("new", "custom", 1)).await.unwrap();
        let view = store.account(&account_key("new")).await.unwrap().unwrap();
        assert_eq!(view.integrations.len(), 1);
        // The write expects a version of the integration that does not exist.
        let wrong = store.put_account_with(put("other"), migration("other", "custom", 2)).await;
        assert!(matches!(wrong, Err(StoreError::Conflict { current: None })));
        assert_eq!(store.account(&account_key("other")).await.unwrap(), None);

        let gone = store.put_account(super::records::put(PutMode::Update, "gone")).await;
        assert!(matches!(gone, Err(StoreError::AccountMissing { .. })), "it is not brought back");
        assert!(store.put_account(super::records::put(PutMode::Update, "new")).await.is_ok());

        let key = view.integrations[0].key();
        let delete = |version| store.delete_version(&key, version, event(AuditAction::AuthCredentialDeleted));
        assert!(matches!(delete(2).await, Err(StoreError::Conflict { current: Some(1) })));
        delete(1).await.unwrap();
        assert_eq!(store.integration(&key).await.unwrap(), None);
    }
}
