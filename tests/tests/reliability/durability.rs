//! An acknowledged write is there after a kill, sealed; a failed request changed nothing; nothing leaks.

use std::path::Path;

use keyferry_mock_providers::apps::demo;
use keyferry_tests::leaks::folder_holds;
use keyferry_tests::{ACCOUNT, World, WorldOptions, http};
use serde_json::json;

fn hubspot(token: &str) -> serde_json::Value {
    json!({"oauth2": {"access_token": token, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN}})
}

async fn integrations(world: &World) -> serde_json::Value {
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}");
    world.send(http::Request::new("GET", &path)).await.json()["integrations"].clone()
}

#[tokio::test]
async fn a_credential_is_there_and_opens_after_a_kill_right_after_the_answer() {
    let mut world = World::start().await;
    assert_eq!(world.migrate("hubspot", hubspot(demo::HUBSPOT_ACCESS_TOKEN)).await.status, 200);
    world.server.kill();
    // Opened with the library, without the server: decrypting the stored envelope yields the sent values.
    open_and_compare(&world.data()).await;
    world.server.restart().await;
    let found = integrations(&world).await;
    assert_eq!((found[0]["type"].as_str(), found[0]["identifier"].as_str()), (Some("hubspot"), Some("48600123")));
}

async fn open_and_compare(data: &Path) {
    use keyferry_service::seal_context;
    use keyferry_store::sled::{SledSettings, SledStore};
    use keyferry_store::{AccountKey, IntegrationKey, IntegrationStore as _, RootStore as _, Store as _};
    use keyferry_types::ids::Environment;
    use keyferry_vault::{CreateKey, Envelope, KeyId, KeyProvider, Vault, WrappedRoot};

    let vault = Vault::new(KeyProvider::File(data.join("keyferry.key")).load(CreateKey::Refused).await.unwrap());
    let store = SledStore::open(SledSettings::new(data.join("store"))).await.unwrap();
    let org = keyferry_tests::ORG.parse().unwrap();
    for root in store.roots(&org).await.unwrap() {
        let root = WrappedRoot { key_id: KeyId::new(root.key_id), kek_id: root.kek_id, wrapped: root.wrapped };
        vault.unlock_root(&org, &root).await.unwrap();
    }
    let account = AccountKey { org, environment: Environment::Test, account: ACCOUNT.parse().unwrap() };
    let key = IntegrationKey { account, slug: "hubspot".parse().unwrap() };
    let record = store.integration(&key).await.unwrap().expect("it was acknowledged");
    let context = seal_context(&key, &record.auth_type, record.version);
    let fields = vault.open(&context, &Envelope::from_bytes(record.envelope).unwrap()).unwrap();
    let values: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(values, [("access_token", demo::HUBSPOT_ACCESS_TOKEN), ("refresh_token", demo::HUBSPOT_REFRESH_TOKEN)]);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_failed_update_leaves_the_former_credential_and_no_secret_shows_anywhere() {
    let server = Box::new(|options: &mut keyferry_tests::ServerOptions| {
        options.environment.push(("KEYFERRY_LOG".to_owned(), "trace".to_owned()));
    });
    let mut world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    let mut answers = String::new();
    assert_eq!(world.migrate("hubspot", hubspot(demo::HUBSPOT_ACCESS_TOKEN)).await.status, 200);
    let before = integrations(&world).await;
    let failing = [demo::HUBSPOT_EXPIRED_TOKEN, demo::HUBSPOT_SCOPELESS_TOKEN, demo::HUBSPOT_RATE_LIMITED_TOKEN];
    for token in failing {
        let answer = world.migrate("hubspot", hubspot(token)).await;
        assert_eq!(answer.status, 500);
        answers.push_str(&format!("{:?} {}", answer.headers, answer.text()));
    }
    assert_eq!(integrations(&world).await, before);
    answers.push_str(&before.to_string());

    let status = world.server.terminate().await;
    assert!(status.success(), "SIGTERM ends it cleanly: {status}");
    let logs = world.server.logs();
    assert!(logs.contains("request"), "the log is not empty");
    let mut secrets = failing.to_vec();
    secrets.extend([demo::HUBSPOT_ACCESS_TOKEN, demo::HUBSPOT_REFRESH_TOKEN, &world.api_key]);
    for secret in secrets {
        assert!(!answers.contains(secret), "in a response");
        assert!(!logs.contains(secret), "in the log");
        assert!(!folder_holds(&world.data(), secret.as_bytes()), "in the data folder");
    }
}
