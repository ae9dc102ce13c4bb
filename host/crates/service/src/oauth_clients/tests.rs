use std::sync::Arc;

use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_store::{
    ApiKeyRecord, ApiKeyStore as _, AuditStore as _, NewApiKey, OAuthClientStore as _, RootChange, Scope,
};
use keyferry_vault::{CreateKey, KeyId, KeyProvider};
use tempfile::TempDir;

use super::*;

struct Scratch {
    store: Arc<SledStore>,
    vault: Arc<Vault>,
    org: OrgId,
    slug: Slug,
    _folder: TempDir,
}

impl Scratch {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kek = KeyProvider::File(folder.path().join("kek")).load(CreateKey::Allowed).await.unwrap();
        let vault = Arc::new(Vault::new(kek));
        let settings = SledSettings { min_free: 0, ..SledSettings::new(folder.path().join("store")) };
        let store = Arc::new(SledStore::open(settings).await.unwrap());
        let org: OrgId = "acme".parse().unwrap();
        let root = keys::stored(&vault.create_root(&org, KeyId::FIRST).await.unwrap().wrapped, Timestamp::now());
        let record = ApiKeyRecord {
            hash: [1; 32],
            org: org.clone(),
            environment: Environment::Test,
            label: "ci".to_owned(),
            scopes: vec![Scope::Admin],
            shown: "tk_abcd".to_owned(),
            created_at: Timestamp::now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        let audit = AuditEvent::by_operator(AuditAction::ApiKeyCreated, "created");
        store.create_api_key(NewApiKey { record, root: Some(root), audit }).await.unwrap();
        Self { store, vault, org, slug: "hubspot".parse().unwrap(), _folder: folder }
    }

    fn key(&self, name: &str) -> OAuthClientKey {
        OAuthClientKey {
            org: self.org.clone(),
            environment: Environment::Test,
            slug: self.slug.clone(),
            name: name.parse().unwrap(),
        }
    }

    async fn put(&self, name: &str, json: &str) {
        keys::unlock(self.store.as_ref(), &self.vault, &self.org).await.unwrap();
        let key = self.key(name);
        let values = ClientValues::validate(serde_json::from_str(json).unwrap()).unwrap();
        let envelope = values.seal(&self.vault, &key, 1).unwrap();
        let now = Timestamp::now();
        let record = OAuthClientRecord {
            id: ObjectId::generate(),
            key,
            version: 1,
            key_id: envelope.key_id().get(),
            envelope: envelope.into_bytes(),
            callback_url: None,
            created_at: now,
            updated_at: now,
            refused: None,
        };
        let audit = AuditEvent::by_operator(AuditAction::OAuthClientPut, "created");
        let write = OAuthClientWrite { record, expect: Expect::Absent, most: MOST_CLIENTS, audit };
        self.store.put_oauth_client(write).await.unwrap();
    }

    async fn open_of(
        &self,
        environment: Environment,
        slug: &Slug,
        name: Option<&str>,
    ) -> Result<Option<OpenClient>, ServiceError> {
        let name = name.map(|name| name.parse().unwrap());
        open_client(self.store.as_ref(), &self.vault, (&self.org, environment, slug), name.as_ref()).await
    }

    async fn open(&self, name: Option<&str>) -> Result<Option<OpenClient>, ServiceError> {
        self.open_of(Environment::Test, &self.slug, name).await
    }

    async fn id(&self, name: Option<&str>) -> Option<String> {
        Some(self.open(name).await.unwrap()?.id.expose().to_owned())
    }
}

#[tokio::test]
async fn a_client_is_found_by_its_name_or_as_the_default_or_as_the_only_one() {
    let scratch = Scratch::new().await;
    assert_eq!(scratch.id(None).await, None);
    scratch.put("eu", r#"{"client_id":"eu-id","client_secret":"eu-s3cr3t"}"#).await;
    assert_eq!(scratch.id(None).await.as_deref(), Some("eu-id"), "the only one");
    assert_eq!(scratch.id(Some("us")).await, None);
    scratch.put("public", r#"{"client_id":"public-id"}"#).await;
    let public = scratch.open(Some("public")).await.unwrap().unwrap();
    assert_eq!((public.id.expose(), public.secret.is_none()), ("public-id", true));
    match scratch.open(None).await {
        Err(error @ ServiceError::SeveralOAuthClients { .. }) => {
            assert_eq!(error.code(), "several_oauth_clients");
            assert!(error.to_string().ends_with("name one of `eu`, `public`"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    scratch.put("default", r#"{"client_id":"default-id","client_secret":"s3cr3t"}"#).await;
    assert_eq!(scratch.id(None).await.as_deref(), Some("default-id"));
    let eu = scratch.open(Some("eu")).await.unwrap().unwrap();
    assert_eq!((eu.id.expose(), eu.secret.unwrap().expose()), ("eu-id", "eu-s3cr3t"));
    let other = "slack".parse().unwrap();
    assert!(scratch.open_of(Environment::Test, &other, None).await.unwrap().is_none());
    assert!(scratch.open_of(Environment::Production, &scratch.slug, None).await.unwrap().is_none());
}

#[tokio::test]
async fn an_envelope_that_was_moved_to_another_client_or_version_does_not_open() {
    let scratch = Scratch::new().await;
    scratch.put("default", r#"{"client_id":"default-id","client_secret":"s3cr3t"}"#).await;
    let stored = scratch.store.oauth_client(&scratch.key("default")).await.unwrap().unwrap();
    let moved = OAuthClientRecord { key: scratch.key("eu"), ..stored.clone() };
    let replayed = OAuthClientRecord { version: 2, ..stored.clone() };
    assert!(values::open(&scratch.vault, &stored).is_ok());
    assert!(values::open(&scratch.vault, &moved).is_err() && values::open(&scratch.vault, &replayed).is_err());
}

#[tokio::test]
async fn many_refusals_of_a_client_are_one_audit_event_until_it_is_accepted_again() {
    let scratch = Scratch::new().await;
    scratch.put("default", r#"{"client_id":"default-id","client_secret":"s3cr3t"}"#).await;
    let client = scratch.open(None).await.unwrap().unwrap();
    assert_eq!(client.refused, None);
    let note = |refusal| note_client(scratch.store.as_ref(), &client, refusal, "renewal");
    assert!(!note(None).await.unwrap(), "it was not refused before");
    assert!(note(Some("invalid_client: the secret has expired")).await.unwrap());
    for _ in 0..20 {
        assert!(!note(Some("invalid_client")).await.unwrap());
    }
    let refused = scratch.open(None).await.unwrap().unwrap().refused.unwrap();
    assert_eq!(refused.detail, "invalid_client: the secret has expired");
    assert!(note(None).await.unwrap());
    assert_eq!(scratch.open(None).await.unwrap().unwrap().refused, None);
    let trail = scratch.store.audit_after(&scratch.org, 0, 100).await.unwrap();
    let outcomes = trail.iter().filter(|entry| entry.event.action == AuditAction::OAuthClientRefused);
    let outcomes: Vec<_> = outcomes.map(|entry| entry.event.outcome.as_str()).collect();
    let expected = ["OAuth client default refused by the provider", "OAuth client default accepted by the provider"];
    assert_eq!(outcomes, expected);
    assert_eq!(trail.last().unwrap().event.slug.as_ref(), Some(&scratch.slug));
}

#[tokio::test]
async fn a_resealed_client_opens_with_its_revision_as_it_was() {
    let scratch = Scratch::new().await;
    scratch.put("default", r#"{"client_id":"default-id","client_secret":"s3cr3t"}"#).await;
    let before = scratch.open(None).await.unwrap().unwrap();
    let store: Arc<dyn Store> = scratch.store.clone();
    let (vault, org) = (&scratch.vault, &scratch.org);
    keys::rotate(store.as_ref(), vault, org).await.unwrap();
    let done = keys::reseal(&store, vault, org, None, 100).await.unwrap();
    assert_eq!((done.resealed, done.left), (1, 0));
    let again = keys::reseal(&store, vault, org, None, 100).await.unwrap();
    assert_eq!((again.resealed, again.left), (0, 1));
    for change in [RootChange::Disable, RootChange::Destroy] {
        keys::change(store.as_ref(), vault, org, KeyId::FIRST, change).await.unwrap();
    }
    let after = scratch.open(None).await.unwrap().unwrap();
    assert_eq!((after.version, after.id.expose()), (before.version, before.id.expose()));
    assert_eq!(after.secret.unwrap().expose(), "s3cr3t");
}
