//! OAuth clients: who may write them, what is listed, and when a refusal is recorded.

use super::engines::{Kind, Scratch};
use super::records::{api_key, at, event, org, root};
use crate::*;
use keyferry_types::ids::Environment;

fn key(slug: &str, name: &str) -> OAuthClientKey {
    OAuthClientKey {
        org: org(),
        environment: Environment::Test,
        slug: slug.parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

fn client(slug: &str, name: &str) -> OAuthClientRecord {
    OAuthClientRecord {
        id: ObjectId::generate(),
        key: key(slug, name),
        version: 1,
        key_id: 1,
        envelope: vec![7; 100],
        callback_url: Some("https://acme.example.com/callback".to_owned()),
        created_at: at(1),
        updated_at: at(1),
        refused: None,
    }
}

async fn put(store: &dyn Store, record: &OAuthClientRecord, expect: Expect) -> StoreResult<()> {
    let audit = event(AuditAction::OAuthClientPut);
    store.put_oauth_client(OAuthClientWrite { record: record.clone(), expect, most: 4, audit }).await
}

async fn events(store: &dyn Store) -> Vec<AuditAction> {
    store.audit_after(&org(), 0, 100).await.unwrap().into_iter().map(|entry| entry.event.action).collect()
}

fn refusal(detail: &str) -> Option<ClientRefusal> {
    Some(ClientRefusal { at: at(5), detail: detail.to_owned() })
}

#[tokio::test]
async fn a_client_is_written_by_one_at_a_time_and_there_are_only_so_many() {
    for kind in Kind::all() {
        let scratch = Scratch::new(kind).await;
        let first = client("hubspot", "default");
        put(&*scratch, &first, Expect::Absent).await.unwrap();
        for (version, expect) in [(1, Expect::Absent), (3, Expect::Version(2))] {
            let again = OAuthClientRecord { version, ..first.clone() };
            assert!(matches!(put(&*scratch, &again, expect).await, Err(StoreError::Conflict { current: Some(1) })));
        }
        let other = OAuthClientRecord { version: 2, ..client("hubspot", "default") };
        let refused = put(&*scratch, &other, Expect::Version(1)).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "it replaces a client of another id");
        for name in ["b", "c", "d"] {
            put(&*scratch, &client("slack", name), Expect::Absent).await.unwrap();
        }
        let fifth = put(&*scratch, &client("slack", "e"), Expect::Absent).await;
        assert!(matches!(fifth, Err(StoreError::TooManyOAuthClients { most: 4 })));
        let second = OAuthClientRecord { version: 2, ..first.clone() };
        put(&*scratch, &second, Expect::Version(1)).await.unwrap();
        assert_eq!(scratch.oauth_client(&first.key).await.unwrap(), Some(second.clone()));
        assert_eq!(scratch.sealed_under(&org()).await.unwrap().into_iter().collect::<Vec<_>>(), [(1, 4)]);
        let delete = |version| scratch.delete_oauth_client(&first.key, version, event(AuditAction::OAuthClientDeleted));
        assert!(!delete(first.state()).await.unwrap(), "a version before");
        assert!(!delete(other.state()).await.unwrap(), "another client");
        assert!(delete(second.state()).await.unwrap());
        assert!(!delete(second.state()).await.unwrap());
        assert_eq!(scratch.oauth_client(&first.key).await.unwrap(), None);
        let trail = events(&*scratch).await;
        let count = |action| trail.iter().filter(|one| **one == action).count();
        assert_eq!((count(AuditAction::OAuthClientPut), count(AuditAction::OAuthClientDeleted)), (5, 1));
    }
}

#[tokio::test]
async fn clients_are_listed_by_app_and_name_and_survive_a_restart() {
    for kind in Kind::all() {
        let scratch = Scratch::new(kind).await;
        for (slug, name) in [("slack", "default"), ("hub", "b"), ("hubspot", "a"), ("hubspot", "default")] {
            put(&*scratch, &client(slug, name), Expect::Absent).await.unwrap();
        }
        let scratch = scratch.reopened().await;
        let listed = async |environment, slug: Option<&str>| {
            let slug = slug.map(|slug| slug.parse().unwrap());
            let all = scratch.oauth_clients(&org(), environment, slug.as_ref()).await.unwrap();
            all.iter().map(|one| format!("{}/{}", one.key.slug, one.key.name)).collect::<Vec<_>>()
        };
        let all = ["hub/b", "hubspot/a", "hubspot/default", "slack/default"];
        assert_eq!(listed(Environment::Test, None).await, all);
        assert_eq!(listed(Environment::Test, Some("hubspot")).await, all[1..3]);
        assert_eq!(listed(Environment::Test, Some("hu")).await, [""; 0]);
        assert_eq!(listed(Environment::Production, None).await, [""; 0]);
        let others = scratch.oauth_clients(&"acme2".parse().unwrap(), Environment::Test, None).await.unwrap();
        assert_eq!(others, []);
        let record = scratch.oauth_client(&key("hub", "b")).await.unwrap().unwrap();
        assert_eq!(record.callback_url.as_deref(), Some("https://acme.example.com/callback"));
        assert_eq!(record.envelope, [7; 100]);
    }
}

#[tokio::test]
async fn a_refusal_is_recorded_once_and_only_of_the_values_that_were_refused() {
    for kind in Kind::all() {
        let scratch = Scratch::new(kind).await;
        let first = client("hubspot", "default");
        put(&*scratch, &first, Expect::Absent).await.unwrap();
        let note = |version, refused| {
            scratch.note_refused(&first.key, version, refused, event(AuditAction::OAuthClientRefused))
        };
        assert!(!note(first.state(), None).await.unwrap(), "it was not refused before");
        assert!(!note(client("hubspot", "default").state(), refusal("x")).await.unwrap(), "another client");
        assert!(note(first.state(), refusal("invalid_client")).await.unwrap());
        assert!(!note(first.state(), refusal("invalid_client again")).await.unwrap());
        let stored = scratch.oauth_client(&first.key).await.unwrap().unwrap();
        assert_eq!((stored.version, stored.refused), (1, refusal("invalid_client")), "the first refusal stays");
        assert!(note(first.state(), None).await.unwrap());
        let second = OAuthClientRecord { version: 2, ..first.clone() };
        put(&*scratch, &second, Expect::Version(1)).await.unwrap();
        assert!(!note(first.state(), refusal("late")).await.unwrap(), "other values are stored now");
        assert_eq!(scratch.oauth_client(&first.key).await.unwrap().unwrap().refused, None);
        let trail = events(&*scratch).await;
        assert_eq!(trail.iter().filter(|one| **one == AuditAction::OAuthClientRefused).count(), 2);
    }
}

#[tokio::test]
async fn a_client_is_resealed_in_its_version_and_never_under_a_root_that_is_out_of_use() {
    for kind in Kind::all() {
        let scratch = Scratch::new(kind).await;
        let first = client("hubspot", "default");
        let audit = event(AuditAction::ApiKeyCreated);
        let new = NewApiKey { record: api_key(1, org()), root: Some(root(1, 1)), audit };
        scratch.create_api_key(new).await.unwrap();
        scratch.add_root(&org(), root(2, 2), event(AuditAction::KeyRotated)).await.unwrap();
        put(&*scratch, &first, Expect::Absent).await.unwrap();
        let reseal = |from, to| OAuthClientReseal {
            key: first.key.clone(),
            version: first.state(),
            from,
            to,
            envelope: vec![8; 100],
            audit: event(AuditAction::CredentialResealed),
        };
        assert!(!scratch.reseal_oauth_client(reseal(2, 2)).await.unwrap(), "it is sealed under another root");
        assert!(scratch.reseal_oauth_client(reseal(1, 2)).await.unwrap());
        assert!(!scratch.reseal_oauth_client(reseal(1, 2)).await.unwrap());
        let stored = scratch.oauth_client(&first.key).await.unwrap().unwrap();
        assert_eq!((stored.state(), stored.key_id, stored.envelope), (first.state(), 2, vec![8; 100]));
        assert_eq!(scratch.sealed_under(&org()).await.unwrap().into_iter().collect::<Vec<_>>(), [(2, 1)]);
        let audit = event(AuditAction::KeyDisabled);
        scratch.change_root(&org(), 1, RootChange::Disable, audit).await.unwrap();
        let stale = scratch.reseal_oauth_client(reseal(2, 1)).await;
        assert!(matches!(stale, Err(StoreError::StaleRoot { key_id: 1, .. })), "{stale:?}");
        let stale = put(&*scratch, &client("slack", "default"), Expect::Absent).await;
        assert!(matches!(stale, Err(StoreError::StaleRoot { key_id: 1, .. })), "{stale:?}");
    }
}
