//! Several servers on one database, and commands beside them.

use std::time::{Duration, Instant};

use keyferry_test_postgres::Cluster;

use super::{open, until, with};
use crate::postgres::{Access, PostgresStore};
use crate::tests::outbox::webhook;
use crate::tests::records::*;
use crate::*;

#[tokio::test]
async fn a_command_has_the_database_for_itself_or_is_refused() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let server = open(&database.url()).await;
    with_account(&server, "a").await;
    let refused = PostgresStore::open(with(&database.url(), Access::Alone)).await.err().unwrap();
    assert!(matches!(&refused, StoreError::InUse { holder, .. } if holder.starts_with("process ")), "{refused}");
    server.close().await.unwrap();
    let command = PostgresStore::open(with(&database.url(), Access::Alone)).await.unwrap();
    with_account(&command, "b").await;
    let waiting = tokio::spawn(PostgresStore::open(with(&database.url(), Access::Host)));
    let refused = PostgresStore::open(with(&database.url(), Access::Alone)).await.err().unwrap();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    assert!(!waiting.is_finished());
    command.close().await.unwrap();
    let server = waiting.await.unwrap().unwrap();
    with_account(&server, "c").await;
    assert_eq!(server.verify_audit(&org()).await.unwrap().entries, 3);
}

#[tokio::test]
async fn a_crash_leaves_its_lease_and_a_process_of_the_same_folder_does_not_wait_for_its_end() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let folder = tempfile::tempdir().unwrap();
    let of_folder = || {
        let mut settings = with(&database.url(), Access::Alone);
        settings.identity = Some(folder.path().join("id"));
        PostgresStore::open(settings)
    };
    let before = of_folder().await.unwrap();
    assert!(matches!(of_folder().await, Err(StoreError::Locked { .. })), "while it is there");
    before.abandon();
    database.sql("UPDATE keyferry_leases SET ends = now() + interval '1 hour'");
    of_folder().await.unwrap().abandon();

    // A copy of the folder has the same identity: it does not take the lease of a process that runs.
    database.sql("UPDATE keyferry_leases SET holder = 'process 1 on this host', ends = now() + interval '1 hour'");
    let refused = of_folder().await.err().unwrap();
    assert!(matches!(&refused, StoreError::InUse { holder, .. } if holder == "process 1 on this host"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_lease_was_retired_writes_nothing_and_its_claims_are_free() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let (first, second) = (open(&database.url()).await, open(&database.url()).await);
    with_account(&first, "a").await;
    let work =
        Work::Import(ImportKey { org: org(), environment: account_key("a").environment, id: ObjectId::generate() });
    assert_eq!(first.claim(&work).await.unwrap(), Claim::Ours);
    assert_eq!(first.claim(&work).await.unwrap(), Claim::Ours, "once more");
    assert_eq!(second.claim(&work).await.unwrap(), Claim::Theirs);
    second.release(&work).await.unwrap();
    assert_eq!(second.claimed(&work).await.unwrap(), Claim::Theirs, "what is not its own is left alone");
    // As if it had been stopped for longer than its lease: the next server retires it.
    database.sql("UPDATE keyferry_leases SET ends = now() - interval '1 second' WHERE name = 'host/0'");
    let third = open(&database.url()).await;
    assert_eq!(second.claim(&work).await.unwrap(), Claim::Ours);
    let mut fatal = first.fatal();
    let overtaken = first.put_account(put(PutMode::Create, "c")).await.unwrap_err();
    assert!(matches!(overtaken, StoreError::Failed { .. }), "{overtaken}");
    assert!(fatal.failed().await.contains("another server has taken over the work of this one"));
    assert!(matches!(first.health(), StoreHealth::Failed(_)));
    assert!(!third.has_account(&account_key("c")).await.unwrap());
    drop(first);
    // Its end does not take the lease from the one that has its place now.
    with_account(&third, "d").await;
    with_account(&second, "e").await;
    second.close().await.unwrap();
    assert_eq!(third.claimed(&work).await.unwrap(), Claim::Free, "a server that ends gives up its claims");
    assert_eq!(third.verify_audit(&org()).await.unwrap().entries, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_is_noticed_by_the_others_within_fifteen_seconds() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let (left, stays) = (open(&database.url()).await, open(&database.url()).await);
    let work = Work::Deliveries(WebhookKey {
        org: org(),
        environment: account_key("a").environment,
        id: ObjectId::generate(),
    });
    assert_eq!(left.claim(&work).await.unwrap(), Claim::Ours);
    // Its process is gone: nothing renews its lease, and nothing gives it back.
    left.abandon();
    let began = Instant::now();
    while stays.claimed(&work).await.unwrap() != Claim::Free {
        assert!(began.elapsed() < Duration::from_secs(15), "its work is still claimed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_changes_is_known_to_the_others_within_a_second() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let (first, second) = (open(&database.url()).await, open(&database.url()).await);
    let peers = second.peers().unwrap();
    until(|| peers.generation(Kept::ApiKeys).is_some()).await;
    let before = peers.generation(Kept::ApiKeys);
    let (record, audit) = (api_key(7, org()), event(AuditAction::ApiKeyCreated));
    let hash = record.hash;
    first.create_api_key(NewApiKey { record, root: None, audit }).await.unwrap();
    let revoked = AuditEvent::by_operator(AuditAction::ApiKeyRevoked, "revoked");
    first.revoke_api_key(&org(), &hash, revoked).await.unwrap().unwrap();
    let at = Instant::now();
    // Either the change is known, or it is known that nothing is known.
    while peers.generation(Kept::ApiKeys) == before {
        assert!(at.elapsed() < Duration::from_secs(1), "the revocation is not known");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(peers.generation(Kept::Roots), Some(0), "nothing else has changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_an_account_have_places_in_the_order_of_their_commits_on_whichever_host() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let hosts = [open(&database.url()).await, open(&database.url()).await];
    with_account(&hosts[0], "a").await;
    let record = webhook(&[ConnectionEvent::Created], None);
    let (key, audit) = (record.key.clone(), event(AuditAction::WebhookCreated));
    hosts[0].put_webhook(WebhookWrite { record, expect: Expect::Absent, most: 4, audit }).await.unwrap();
    for number in 1..=20 {
        hosts[number % 2].commit_migration(migration("a", &format!("app-{number}"), 1)).await.unwrap();
    }
    let waiting = hosts[0].outbox(&key, 100).await.unwrap();
    let slugs: Vec<String> = waiting.iter().map(|delivery| delivery.slug.to_string()).collect();
    assert_eq!(slugs, (1..=20).map(|number| format!("app-{number}")).collect::<Vec<_>>());
    assert!(waiting.is_sorted_by(|a, b| a.place < b.place));
}
