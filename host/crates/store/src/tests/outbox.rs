//! Which events are queued for webhooks, and in which transactions.

use std::time::Duration;

use super::engines::{Kind, Scratch};
use super::records::{account_key, at, event, migration, org, record, with_account};
use crate::*;
use keyferry_types::ids::Environment;

pub(crate) fn webhook(events: &[ConnectionEvent], slug: Option<&str>) -> WebhookRecord {
    WebhookRecord {
        key: WebhookKey { org: org(), environment: Environment::Test, id: ObjectId::generate() },
        url: "https://hooks.example.com/x".to_owned(),
        events: events.to_vec(),
        slug: slug.map(|slug| slug.parse().unwrap()),
        method: WebhookMethod::Post,
        description: None,
        state: WebhookState::Enabled,
        header_names: vec!["x-password".to_owned()],
        version: 1,
        key_id: 1,
        envelope: vec![7; 100],
        created_at: at(1),
        updated_at: at(1),
    }
}

async fn put(store: &dyn Store, record: &WebhookRecord, expect: Expect) -> StoreResult<()> {
    let audit = event(AuditAction::WebhookCreated);
    store.put_webhook(WebhookWrite { record: record.clone(), expect, most: 4, audit }).await
}

async fn told(store: &dyn Store, webhook: &WebhookRecord) -> Vec<(ConnectionEvent, String)> {
    let waiting = store.outbox(&webhook.key, 100).await.unwrap();
    assert!(waiting.is_sorted_by_key(|delivery| delivery.place));
    waiting.into_iter().map(|delivery| (delivery.event, delivery.slug.to_string())).collect()
}

fn integration(account: &str, slug: &str) -> IntegrationKey {
    IntegrationKey { account: account_key(account), slug: slug.parse().unwrap() }
}

#[tokio::test]
async fn each_webhook_waits_for_what_it_wants_in_the_order_in_which_it_happened() {
    for kind in Kind::all() {
        use ConnectionEvent::{Created, Deleted, Expired};
        let scratch = Scratch::new(kind).await;
        let (all, stripe, disabled) = (
            webhook(&ConnectionEvent::ALL, None),
            webhook(&[Created], Some("stripe")),
            WebhookRecord { state: WebhookState::Disabled, ..webhook(&ConnectionEvent::ALL, None) },
        );
        for webhook in [&all, &stripe, &disabled] {
            put(&*scratch, webhook, Expect::Absent).await.unwrap();
        }
        with_account(&*scratch, "user_1").await;
        for slug in ["slack", "stripe"] {
            scratch.commit_migration(migration("user_1", slug, 1)).await.unwrap();
        }
        // A replaced credential is not a new connection; nor is a failed write.
        scratch.commit_migration(migration("user_1", "stripe", 2)).await.unwrap();
        scratch.commit_migration(migration("user_1", "stripe", 1)).await.unwrap_err();
        let stored = scratch.integration(&integration("user_1", "stripe")).await.unwrap().unwrap();
        let expired = IntegrationRecord { reauth: Reauth::Required, ..stored };
        for _ in 0..2 {
            let write = CheckWrite { record: expired.clone(), audit: event(AuditAction::CredentialChecked) };
            assert!(matches!(scratch.commit_check(write).await.unwrap(), Checked::Written(_)));
        }
        let audit = event(AuditAction::IntegrationDeleted);
        scratch.delete_integration(&integration("user_1", "slack"), None, audit).await.unwrap();
        scratch.delete_account(&account_key("user_1"), event(AuditAction::AccountDeleted)).await.unwrap();

        let scratch = scratch.reopened().await;
        let expected =
            [(Created, "slack"), (Created, "stripe"), (Expired, "stripe"), (Deleted, "slack"), (Deleted, "stripe")];
        assert_eq!(told(&*scratch, &all).await, expected.map(|(event, slug)| (event, slug.to_owned())));
        assert_eq!(told(&*scratch, &stripe).await, [(Created, "stripe".to_owned())]);
        assert_eq!(told(&*scratch, &disabled).await, []);
        let mut awaited = scratch.awaited_webhooks().await.unwrap();
        awaited.sort_by_key(|key| key.id);
        let mut both = vec![all.key, stripe.key];
        both.sort_by_key(|key| key.id);
        assert_eq!(awaited, both);
        scratch.verify_audit(&org()).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_found_out_of_another_version_is_not_written() {
    for kind in Kind::all() {
        let scratch = Scratch::new(kind).await;
        with_account(&*scratch, "user_1").await;
        scratch.commit_migration(migration("user_1", "stripe", 1)).await.unwrap();
        let old = scratch.integration(&integration("user_1", "stripe")).await.unwrap().unwrap();
        scratch.commit_migration(migration("user_1", "stripe", 2)).await.unwrap();
        let another = IntegrationRecord { reauth: Reauth::Required, ..record("user_1", "stripe", 2) };
        for found in [IntegrationRecord { reauth: Reauth::Required, ..old }, another] {
            let write = CheckWrite { record: found, audit: event(AuditAction::CredentialChecked) };
            assert_eq!(scratch.commit_check(write).await.unwrap(), Checked::Overtaken);
        }
        let stored = scratch.integration(&integration("user_1", "stripe")).await.unwrap().unwrap();
        assert_eq!((stored.version, stored.reauth), (2, Reauth::NotRequired));
    }
}

#[tokio::test]
async fn a_webhook_is_written_by_one_at_a_time_and_there_are_only_so_many() {
    for kind in Kind::all() {
        let scratch = Scratch::new(kind).await;
        let first = webhook(&[ConnectionEvent::Created], None);
        put(&*scratch, &first, Expect::Absent).await.unwrap();
        for (version, expect) in [(1, Expect::Absent), (3, Expect::Version(2))] {
            let again = WebhookRecord { version, ..first.clone() };
            assert!(matches!(put(&*scratch, &again, expect).await, Err(StoreError::Conflict { current: Some(1) })));
        }
        for _ in 0..3 {
            put(&*scratch, &webhook(&[ConnectionEvent::Created], None), Expect::Absent).await.unwrap();
        }
        let fifth = put(&*scratch, &webhook(&[ConnectionEvent::Created], None), Expect::Absent).await;
        assert!(matches!(fifth, Err(StoreError::TooManyWebhooks { most: 4 })));
        put(&*scratch, &WebhookRecord { version: 2, ..first.clone() }, Expect::Version(1)).await.unwrap();
        assert_eq!(scratch.sealed_under(&org()).await.unwrap().into_iter().collect::<Vec<_>>(), [(1, 4)]);
        let remaining = scratch.delete_webhook(&first.key, event(AuditAction::WebhookDeleted)).await.unwrap();
        assert_eq!(remaining.map(|remaining| remaining.len()), Some(3));
        assert_eq!(scratch.delete_webhook(&first.key, event(AuditAction::WebhookDeleted)).await.unwrap(), None);
        assert_eq!(scratch.webhooks(&org(), Environment::Production).await.unwrap(), []);
    }
}

#[tokio::test]
async fn an_attempt_is_settled_once_failures_are_few_and_go_with_time_and_with_their_webhook() {
    for kind in Kind::all() {
        let scratch = Scratch::new(kind).await;
        let webhook = webhook(&[ConnectionEvent::Created], None);
        put(&*scratch, &webhook, Expect::Absent).await.unwrap();
        for number in 0..105 {
            with_account(&*scratch, &format!("user_{number}")).await;
            scratch.commit_migration(migration(&format!("user_{number}"), "stripe", 1)).await.unwrap();
        }
        let waiting = scratch.outbox(&webhook.key, 200).await.unwrap();
        let again = Delivery { attempts: 1, ..waiting[0].clone() };
        scratch.settle(vec![(again, Settled::Again(at(77)))]).await.unwrap();
        let first = scratch.outbox(&webhook.key, 1).await.unwrap().remove(0);
        assert_eq!((first.attempts, first.due, first.id), (1, at(77), waiting[0].id));
        scratch.settle(vec![(first.clone(), Settled::Delivered), (first, Settled::Again(at(78)))]).await.unwrap();
        let now = Timestamp::now();
        let given_up =
            |delivery: &Delivery| (delivery.clone(), Settled::GivenUp { reason: "down".to_owned(), at: now });
        scratch.settle(waiting[1..].iter().map(given_up).collect()).await.unwrap();
        let log = scratch.delivery_log(&webhook.key).await.unwrap();
        assert_eq!((log.waiting, log.failed.len()), (0, 100));
        assert_eq!(log.failed[0].delivery.id, waiting[104].id, "the newest first");
        assert_eq!(scratch.awaited_webhooks().await.unwrap(), []);

        let week = now.after(Duration::from_secs(7 * 24 * 60 * 60));
        assert_eq!(scratch.log_at(&webhook.key, week).await.failed.len(), 0, "after a week it counts as absent");
        scratch.delete_webhook(&webhook.key, event(AuditAction::WebhookDeleted)).await.unwrap();
        assert_eq!(scratch.delivery_log(&webhook.key).await.unwrap(), DeliveryLog::default());
        // A delivery in flight for a deleted webhook leaves nothing behind.
        scratch.settle(vec![given_up(&waiting[5])]).await.unwrap();
        assert_eq!(scratch.delivery_log(&webhook.key).await.unwrap(), DeliveryLog::default());
    }
}
