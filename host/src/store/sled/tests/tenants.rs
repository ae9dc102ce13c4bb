//! API keys and roots.

use super::harness::*;
use crate::store::*;

fn new(byte: u8, of: &str, root: Option<RootRecord>) -> NewApiKey {
    NewApiKey { record: api_key(byte, of.parse().unwrap()), root, audit: event(AuditAction::ApiKeyCreated) }
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_after_reopening() {
    let store = Scratch::new().await;
    store.create_api_key(new(1, "acme", Some(root(1, 9)))).await.unwrap();
    assert!(matches!(store.create_api_key(new(1, "acme", None)).await, Err(StoreError::ApiKeyExists)));
    let store = store.reopened().await;
    assert_eq!(store.api_key(&[1; 32]).await.unwrap(), Some(api_key(1, org())));
    assert_eq!(store.api_key(&[2; 32]).await.unwrap(), None);
    assert_eq!(store.roots(&org()).await.unwrap(), [root(1, 9)]);
}

#[tokio::test]
async fn only_an_organisations_first_key_brings_its_root() {
    let store = Scratch::new().await;
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

#[tokio::test]
async fn a_key_is_revoked_by_its_own_organisation_once() {
    let store = Scratch::new().await;
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
