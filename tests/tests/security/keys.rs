//! Root keys: rotated, resealed, disabled and destroyed during requests, and no request fails.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::Request;
use keyferry_tests::terminal::at_terminal;
use keyferry_tests::{ORG, World, run};
use serde_json::{Value, json};

const ACCOUNTS: usize = 40;

async fn keyferry(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    world.command(&[arguments, &["--org", ORG]].concat()).await
}

/// Number, state and credentials of each key.
async fn keys(world: &World) -> Vec<(u64, String, u64)> {
    let (code, listed, said) = keyferry(world, &["key", "list", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let number = |key: &Value, name: &str| key[name].as_u64().unwrap();
    let one =
        |key: &Value| (number(key, "key_id"), key["state"].as_str().unwrap().to_owned(), number(key, "credentials"));
    listed.iter().map(one).collect()
}

async fn done(world: &World, arguments: &[&str]) -> String {
    let (code, printed, said) = keyferry(world, arguments).await;
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    printed
}

async fn refused(world: &World, arguments: &[&str], why: &str) {
    let (code, _, said) = keyferry(world, arguments).await;
    assert!(code == Some(1) && said.contains(why), "{arguments:?}: {said}");
}

fn migration(account: usize) -> Request {
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    let request = Request::new("PUT", "/api/v2/public/migrate-token");
    request.header("linked_account_id", &format!("account_{account}")).json(&body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_from_end_to_end_fails_no_request() {
    let mut world = World::start().await;
    for account in 0..ACCOUNTS {
        world.create_account(&format!("account_{account}")).await;
        assert_eq!(world.send(migration(account)).await.status, 200);
    }
    // Half of the accounts are written continuously; the others are left for resealing.
    let (over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..4)
        .map(|worker| {
            let (over, written) = (Arc::clone(&over), Arc::clone(&written));
            let (address, key) = (world.server.address(), world.api_key.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    for account in (worker * 5)..(worker * 5 + 5) {
                        let answer = migration(account).header("x-api-key", &key).send(address).await;
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    let some_writes = async || {
        let goal = written.load(Ordering::Relaxed) + 40;
        while written.load(Ordering::Relaxed) < goal {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    some_writes().await;
    assert_eq!(keys(&world).await, [(1, "seals".to_owned(), ACCOUNTS as u64)]);
    refused(&world, &["key", "disable", "1"], "is the newest, which seals").await;

    assert_eq!(done(&world, &["key", "rotate"]).await.trim(), "key 2 seals from now on");
    some_writes().await;
    let both = keys(&world).await;
    assert!(both[0].1 == "opens" && both[0].2 >= 20 && both[1].1 == "seals" && both[1].2 > 0, "{both:?}");
    refused(&world, &["key", "disable", "1"], "has credentials sealed under it; reseal them first").await;
    refused(&world, &["key", "disable", "2"], "is the newest, which seals").await;

    let said = done(&world, &["key", "reseal"]).await;
    assert!(said.contains("20 credentials sealed under the newest key, 20 were already"), "{said}");
    some_writes().await;
    assert_eq!(keys(&world).await, [(1, "opens".to_owned(), 0), (2, "seals".to_owned(), ACCOUNTS as u64)]);
    let again = done(&world, &["key", "reseal"]).await;
    assert!(again.starts_with("0 credentials sealed"), "{again}");

    refused(&world, &["key", "destroy", "1", "--yes"], "is in use; disable it first").await;
    done(&world, &["key", "disable", "1"]).await;
    refused(&world, &["key", "destroy", "1"], "say --yes if that is meant").await;
    let data = world.data().display().to_string();
    let destroy = ["key", "destroy", "1", "--org", ORG, "--data", &data];
    if let Some((code, said)) = at_terminal(&[], &destroy, "n\n").await {
        assert!(code == Some(1) && said.contains("Destroy key 1 of acme?") && said.contains("[y/N]"), "{said}");
        assert!(said.contains("key 1 is not destroyed"), "{said}");
    }
    done(&world, &["key", "destroy", "1", "--yes"]).await;
    some_writes().await;
    over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(keys(&world).await, [(2, "seals".to_owned(), ACCOUNTS as u64)]);

    // After a restart the remaining root decrypts each of them to the value that was sent.
    assert!(world.server.terminate().await.success());
    assert_eq!(opened(&world).await, vec![demo::STRIPE_SECRET_KEY; ACCOUNTS]);
    let (_, trail, _) = keyferry(&world, &["audit", "export"]).await;
    for (operation, times) in
        [("key_rotated", 1), ("credential_resealed", 20), ("key_disabled", 1), ("key_destroyed", 1)]
    {
        assert_eq!(trail.matches(&format!("\"operation\":\"{operation}\"")).count(), times, "{operation}");
    }
    assert_eq!(keyferry(&world, &["audit", "verify"]).await.0, Some(0));
    world.server.restart().await;
    assert_eq!(world.send(migration(0)).await.status, 200);
}

/// The decrypted values of all integrations, read by the library without the server.
async fn opened(world: &World) -> Vec<String> {
    use keyferry_service::{keys, seal_context};
    use keyferry_store::sled::{SledSettings, SledStore};
    use keyferry_store::{RootStore as _, Store as _};
    use keyferry_types::ids::OrgId;
    use keyferry_vault::{CreateKey, Envelope, KeyProvider, Vault};

    let vault =
        Vault::new(KeyProvider::File(world.data().join("keyferry.key")).load(CreateKey::Refused).await.unwrap());
    let store = SledStore::open(SledSettings::new(world.data().join("store"))).await.unwrap();
    let org: OrgId = ORG.parse().unwrap();
    keys::unlock(&store, &vault, &org).await.unwrap();
    let records = store.integrations_after(&org, None, 10_000).await.unwrap();
    let open = |record: keyferry_store::IntegrationRecord| {
        let context = seal_context(&record.key(), &record.auth_type, record.version);
        let fields = vault.open(&context, &Envelope::from_bytes(record.envelope).unwrap()).unwrap();
        fields[0].1.expose().to_owned()
    };
    let values = records.into_iter().map(open).collect();
    store.close().await.unwrap();
    values
}

#[tokio::test]
async fn resealing_goes_on_after_a_kill_and_works_without_a_server() {
    let mut world = World::start().await;
    for account in 0..ACCOUNTS {
        world.create_account(&format!("account_{account}")).await;
        assert_eq!(world.send(migration(account)).await.status, 200);
    }
    done(&world, &["key", "rotate"]).await;
    // Killed while it reseals: completed work is kept, and the rest is unchanged.
    let data = world.data().display().to_string();
    let resealing = tokio::spawn(async move { run(["key", "reseal", "--org", ORG, "--data", &data]).await });
    tokio::time::sleep(Duration::from_millis(25)).await;
    world.server.kill();
    let _ended_somehow = resealing.await.unwrap();
    let left: u64 = keys(&world).await.iter().map(|key| key.2).sum();
    assert_eq!(left, ACCOUNTS as u64);
    assert_eq!(opened(&world).await, vec![demo::STRIPE_SECRET_KEY; ACCOUNTS]);

    done(&world, &["key", "reseal"]).await;
    assert_eq!(keys(&world).await, [(1, "opens".to_owned(), 0), (2, "seals".to_owned(), ACCOUNTS as u64)]);
    done(&world, &["key", "disable", "1"]).await;
    done(&world, &["key", "destroy", "1", "--yes"]).await;
    world.server.restart().await;
    for account in 0..3 {
        assert_eq!(world.send(migration(account)).await.status, 200);
    }
    refused(&world, &["key", "disable", "7"], "does not exist").await;
}

/// Responds to requests on a data folder's socket with these responses, and closes the connection of the next one.
async fn server_that_dies_after(data: &std::path::Path, answers: Vec<Value>) -> tokio::task::JoinHandle<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    std::fs::create_dir_all(data).unwrap();
    let listener = tokio::net::UnixListener::bind(data.join("admin.sock")).unwrap();
    tokio::spawn(async move {
        for answer in answers.into_iter().map(Some).chain([None]) {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            let Some(answer) = answer else { return };
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
        }
    })
}

#[tokio::test]
async fn a_reseal_whose_server_dies_says_so_and_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let key = |id: u32, state: &str, credentials: u64| {
        json!({"key_id": id, "state": state, "credentials": credentials, "created_at": "2026-01-01T00:00:00Z",
            "disabled_at": null, "wrapped_by": "file", "also_wrapped_by": []})
    };
    let step =
        json!({"resealed": 3, "left": 1, "next": {"environment": "test", "account": "user_4", "slug": "stripe"}});
    let server =
        server_that_dies_after(folder.path(), vec![json!([key(1, "opens", 8), key(2, "seals", 1)]), step]).await;
    let data = folder.path().display().to_string();
    let output = run(["key", "reseal", "--org", ORG, "--data", &data]).await;
    server.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "3 credentials were sealed under the newest key before this failed",
        "the server ended the connection before it responded",
        "`keyferry key reseal --org acme` seals the rest",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(output.stdout.is_empty(), "nothing is reported as done");
}
