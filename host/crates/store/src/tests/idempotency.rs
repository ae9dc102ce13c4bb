//! Responses stored for repeated requests.

use std::time::Duration;

use super::engines::{Kind, Scratch};
use super::records::*;
use crate::records::Table;
use crate::*;
use keyferry_types::ids::Environment;

fn response(key: &str, fingerprint: u8, expires_at: Timestamp) -> IdempotencyRecord {
    IdempotencyRecord {
        key: IdempotencyKey { org: org(), environment: Environment::Test, key: key.to_owned() },
        fingerprint: [fingerprint; 32],
        status: 200,
        headers: vec![("ETag".to_owned(), "\"1\"".to_owned())],
        body: b"{\"success\":true}".to_vec(),
        expires_at,
    }
}

fn keyed(slug: &str, response: IdempotencyRecord) -> MigrationWrite {
    MigrationWrite { idempotency: Some(response), ..migration("a", slug, 1) }
}

fn soon() -> Timestamp {
    Timestamp::now().after(Duration::from_secs(3600))
}

#[tokio::test]
async fn the_answer_is_kept_with_the_write_and_told_again() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        with_account(&*store, "a").await;
        let kept = response("k", 1, soon());
        assert_eq!(store.idempotency(&kept.key).await.unwrap(), None);
        store.commit_migration(keyed("hubspot", kept.clone())).await.unwrap();
        let store = store.reopened().await;
        assert_eq!(store.idempotency(&kept.key).await.unwrap(), Some(kept.clone()));

        match store.commit_migration(keyed("hubspot", kept.clone())).await.unwrap_err() {
            StoreError::IdempotencyReplay(told) => assert_eq!(*told, kept),
            other => panic!("{other}"),
        }
        let other = store.commit_migration(keyed("slack", response("k", 2, soon()))).await;
        assert!(matches!(other, Err(StoreError::IdempotencyMismatch)));
        assert_eq!(store.integration(&record("a", "slack", 1).key()).await.unwrap(), None);

        let elsewhere = IdempotencyKey { environment: Environment::Production, ..kept.key };
        assert_eq!(store.idempotency(&elsewhere).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_write_that_is_refused_keeps_no_answer() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        let kept = response("k", 1, soon());
        assert!(store.commit_migration(keyed("hubspot", kept.clone())).await.is_err(), "there is no account");
        assert_eq!(store.idempotency(&kept.key).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_expired_answer_counts_as_absent_and_can_be_replaced() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        with_account(&*store, "a").await;
        let old = response("k", 1, at(5));
        store.commit_migration(keyed("hubspot", old.clone())).await.unwrap();
        assert_eq!(store.idempotency(&old.key).await.unwrap(), None);
        let new = response("k", 2, soon());
        store.commit_migration(keyed("slack", new.clone())).await.unwrap();
        assert_eq!(store.idempotency(&old.key).await.unwrap(), Some(new));
        assert_eq!(rows(&store), (1, 1), "the old response left something behind");
    }
}

#[tokio::test]
async fn expired_answers_are_swept_and_live_ones_are_not() {
    for kind in Kind::all() {
        let store = Scratch::sweeping(kind, Duration::ZERO).await;
        with_account(&*store, "a").await;
        store.commit_migration(keyed("one", response("old", 1, at(5)))).await.unwrap();
        store.commit_migration(keyed("two", response("new", 1, soon()))).await.unwrap();
        // Each batch removes expired responses of earlier batches.
        store.commit_migration(migration("a", "three", 1)).await.unwrap();
        assert_eq!(rows(&store), (1, 1));
        assert!(store.idempotency(&response("new", 1, soon()).key).await.unwrap().is_some());
    }
}

/// Stored responses, and their expiry entries.
fn rows(store: &Scratch) -> (usize, usize) {
    (store.count(Table::Idempotency), store.count(Table::IdempotencyEnds))
}
