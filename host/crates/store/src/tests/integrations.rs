//! Accounts and their integrations.

use super::engines::{Kind, Scratch};
use super::records::*;
use crate::*;

#[tokio::test]
async fn a_migration_needs_its_account() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        let error = store.commit_migration(migration("nobody", "hubspot", 1)).await.unwrap_err();
        assert!(matches!(error, StoreError::AccountMissing { .. }), "{error}");
        assert_eq!(error.to_string(), "linked account with id nobody does not exist in test environment");
    }
}

#[tokio::test]
async fn what_was_migrated_is_there_after_reopening() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        with_account(&*store, "a/b|c").await;
        let first = migration("a/b|c", "hubspot", 1);
        store.commit_migration(first.clone()).await.unwrap();
        let store = store.reopened().await;
        let key = first.record.key();
        assert_eq!(store.integration(&key).await.unwrap(), Some(first.record.clone()));
        let view = store.account(&key.account).await.unwrap().unwrap();
        assert_eq!(view.integrations, [first.record]);
        assert_eq!(view.account.account_id.as_str(), "a/b|c");
    }
}

#[tokio::test]
async fn only_the_expected_version_is_replaced() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        with_account(&*store, "a").await;
        let key = record("a", "hubspot", 1).key();
        let current = |error: StoreError| match error {
            StoreError::Conflict { current } => current,
            other => panic!("{other}"),
        };
        assert_eq!(current(store.commit_migration(migration("a", "hubspot", 2)).await.unwrap_err()), None);
        store.commit_migration(migration("a", "hubspot", 1)).await.unwrap();
        assert_eq!(current(store.commit_migration(migration("a", "hubspot", 1)).await.unwrap_err()), Some(1));
        assert_eq!(current(store.commit_migration(migration("a", "hubspot", 3)).await.unwrap_err()), Some(1));
        store.commit_migration(migration("a", "hubspot", 2)).await.unwrap();
        assert_eq!(store.integration(&key).await.unwrap().unwrap().version, 2);
        assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 3, "a refused write left an audit event");
    }
}

#[tokio::test]
async fn of_many_writers_of_one_version_exactly_one_wins() {
    for kind in Kind::all() {
        let store = std::sync::Arc::new(Scratch::new(kind).await);
        with_account(&**store, "a").await;
        let tries: Vec<_> = (0..40)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.commit_migration(migration("a", "hubspot", 1)).await })
            })
            .collect();
        let mut won = 0;
        for one in tries {
            match one.await.unwrap() {
                Ok(()) => won += 1,
                Err(StoreError::Conflict { current }) => assert_eq!(current, Some(1)),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(won, 1);
    }
}

#[tokio::test]
async fn a_write_that_contradicts_itself_is_not_queued() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        let mut write = migration("a", "hubspot", 2);
        write.expect = Expect::Absent;
        assert!(matches!(store.commit_migration(write).await, Err(StoreError::Contradiction(_))));
    }
}

#[tokio::test]
async fn records_past_64_kib_are_refused_and_large_ones_kept() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        with_account(&*store, "a").await;
        let mut write = migration("a", "hubspot", 1);
        write.record.envelope = vec![7; 64 * 1024];
        assert!(matches!(store.commit_migration(write.clone()).await, Err(StoreError::TooLarge { .. })));
        write.record.envelope.truncate(63 * 1024);
        store.commit_migration(write.clone()).await.unwrap();
        let store = store.reopened().await;
        assert_eq!(store.integration(&write.record.key()).await.unwrap(), Some(write.record));

        let mut account = put(PutMode::Upsert, "a");
        account.udf = vec![("k".to_owned(), "v".repeat(40_000))];
        store.put_account(account.clone()).await.unwrap();
        account.udf = vec![("other".to_owned(), "v".repeat(40_000))];
        let error = store.put_account(account).await.unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { .. }), "two fields that fit alone: {error}");
    }
}

#[tokio::test]
async fn an_account_is_created_once_and_updated_by_field() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        let mut write = put(PutMode::Create, "a");
        write.name = Some("Ann".to_owned());
        write.udf = vec![("x".to_owned(), "1".to_owned()), ("y".to_owned(), "2".to_owned())];
        let made = store.put_account(write.clone()).await.unwrap();
        assert_eq!(made.outcome, PutOutcome::Created);
        let error = store.put_account(write).await.unwrap_err();
        assert_eq!(error.to_string(), "linked account with id a already exists in the test environment");

        let mut update = put(PutMode::Upsert, "a");
        update.audit.at = at(2_000);
        update.udf = vec![("y".to_owned(), "3".to_owned()), ("z".to_owned(), "4".to_owned())];
        let updated = store.put_account(update).await.unwrap();
        assert_eq!(updated.outcome, PutOutcome::Updated);
        let account = updated.account;
        assert_eq!((account.name.as_deref(), account.id), (Some("Ann"), made.account.id));
        assert_eq!((account.created_at, account.updated_at), (at(1_000), at(2_000)));
        let fields: Vec<_> =
            account.udf.iter().map(|f| (f.key_name.as_str(), f.key_value.as_str(), f.updated_at)).collect();
        assert_eq!(fields, [("x", "1", at(1_000)), ("y", "3", at(2_000)), ("z", "4", at(2_000))]);
        assert_eq!(store.account(&account_key("a")).await.unwrap().unwrap().account, account);

        let upserted = store.put_account(put(PutMode::Upsert, "b")).await.unwrap();
        assert_eq!(upserted.outcome, PutOutcome::Created);
    }
}

#[tokio::test]
async fn an_account_goes_with_its_integrations_and_no_others() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        for account in ["a", "ab"] {
            with_account(&*store, account).await;
            for slug in ["hubspot", "slack"] {
                store.commit_migration(migration(account, slug, 1)).await.unwrap();
            }
        }
        let delete = |account: &str| (account_key(account), event(AuditAction::AccountDeleted));
        let (key, audit) = delete("a");
        let deleted = store.delete_account(&key, audit.clone()).await.unwrap().unwrap();
        assert_eq!(deleted.account.account_id.as_str(), "a");
        assert_eq!(deleted.integrations.len(), 2);
        assert_eq!(store.account(&key).await.unwrap(), None);
        assert_eq!(store.integration(&record("a", "slack", 1).key()).await.unwrap(), None);
        assert_eq!(store.account(&account_key("ab")).await.unwrap().unwrap().integrations.len(), 2);

        let before = store.verify_audit(&org()).await.unwrap().entries;
        assert_eq!(store.delete_account(&key, audit).await.unwrap(), None);
        assert_eq!(
            store.verify_audit(&org()).await.unwrap().entries,
            before,
            "nothing happened, yet it was written down"
        );

        // The recreated account is empty, and its first version is 1 again.
        with_account(&*store, "a").await;
        store.commit_migration(migration("a", "hubspot", 1)).await.unwrap();
    }
}

#[tokio::test]
async fn writes_of_one_batch_see_each_other() {
    for kind in Kind::all() {
        let store = std::sync::Arc::new(Scratch::new(kind).await);
        // Polled together, they are queued in this order before any is answered.
        let (made, stored, gone, late) = tokio::join!(
            store.put_account(put(PutMode::Create, "a")),
            store.commit_migration(migration("a", "hubspot", 1)),
            async { store.delete_account(&account_key("a"), event(AuditAction::AccountDeleted)).await },
            store.commit_migration(migration("a", "slack", 1)),
        );
        made.unwrap();
        stored.unwrap();
        assert_eq!(gone.unwrap().unwrap().integrations.len(), 1);
        assert!(matches!(late, Err(StoreError::AccountMissing { .. })));
        assert_eq!(store.verify_audit(&org()).await.unwrap().entries, 3);
    }
}

#[tokio::test]
async fn an_integration_is_deleted_by_auth_type() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        with_account(&*store, "a").await;
        store.commit_migration(migration("a", "hubspot", 1)).await.unwrap();
        let key = record("a", "hubspot", 1).key();
        let audit = event(AuditAction::IntegrationDeleted);
        let other = Some("keybased".parse().unwrap());
        assert_eq!(store.delete_integration(&key, other, audit.clone()).await.unwrap(), DeleteOutcome::Absent);
        assert!(store.integration(&key).await.unwrap().is_some());
        let same = Some("oauth2".parse().unwrap());
        let deleted = store.delete_integration(&key, same, audit.clone()).await.unwrap();
        assert!(matches!(deleted, DeleteOutcome::Deleted(record) if record.version == 1));
        assert_eq!(store.delete_integration(&key, None, audit).await.unwrap(), DeleteOutcome::Absent);
        assert_eq!(store.integration(&key).await.unwrap(), None);
    }
}
