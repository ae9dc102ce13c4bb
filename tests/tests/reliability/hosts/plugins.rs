//! Plugins in the database, and the key that all servers need.

use std::time::{Duration, Instant};

use keyferry_test_postgres::Cluster;
use keyferry_tests::plugins::variant;
use keyferry_tests::{Grants, PluginsIn, Server, ServerOptions, World, WorldOptions, run_in};
use serde_json::{Value, json};

use super::{PATIENCE, migration};

/// Runs a command on the data folder of a server. Returns its exit code, and its output as JSON.
async fn operate(world: &mut World, folder: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let data = world.folder().join(folder).display().to_string();
    let environment = world.server.options_mut().environment.clone();
    let output = run_in(&environment, arguments.iter().copied().chain(["--json", "--data", &data])).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"));
    (output.status.code(), shown)
}

#[tokio::test]
async fn plugins_of_a_database_are_pushed_granted_rolled_back_and_revoked_on_all_servers_at_once() {
    let Some(cluster) = Cluster::shared() else { return };
    let change = |options: &mut ServerOptions| {
        (options.plugins_in, options.grants) = (PluginsIn::Database, Grants::ByHand);
    };
    let options = WorldOptions { server: Some(Box::new(change)), ..WorldOptions::default() };
    let mut world = World::start_on(cluster.database(), options).await;
    let second = world.another_server("second").await;
    let component = world.plugins().join("stripe.wasm");
    let path = component.display().to_string();
    let listed = async |world: &mut World, folders: &[&str], wanted: &dyn Fn(&Value) -> bool| {
        for folder in folders {
            let (_, plugins) = operate(world, folder, &["plugin", "list"]).await;
            assert!(plugins.as_array().unwrap().iter().any(wanted), "{folder} has {plugins:#}");
        }
    };
    let serves = async |world: &World, server: &Server, is_served: bool, patience: Duration| {
        let at = Instant::now();
        let request = || migration("user_1").header("accept", "application/problem+json");
        while (world.send_to(server, request()).await.status == 200) != is_served {
            assert!(at.elapsed() < patience, "it is {} served", if is_served { "not" } else { "still" });
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (code, pushed) = operate(&mut world, "data", &["plugin", "push", &path]).await;
    assert_eq!((code, &pushed["state"]), (Some(0), &json!("pending")), "{pushed:#}");
    listed(&mut world, &["second"], &|plugin| plugin["state"] == "pending").await;
    assert_eq!(operate(&mut world, "second", &["plugin", "grant", "stripe", "--yes"]).await.0, Some(0));
    for server in [&world.server, &second] {
        // It has to be compiled.
        serves(&world, server, true, PATIENCE).await;
    }

    // A server with an empty folder serves all of it from its start.
    let third = world.another_server("third").await;
    assert_eq!(world.send_to(&third, migration("user_1")).await.status, 200);

    let all = ["data", "second", "third"];
    let first_digest = pushed["digest"].as_str().unwrap().to_owned();
    std::fs::write(&component, variant(&std::fs::read(&component).unwrap(), "another")).unwrap();
    let (_, pushed) = operate(&mut world, "third", &["plugin", "push", &path]).await;
    let second_digest = pushed["digest"].as_str().unwrap().to_owned();
    assert_ne!(first_digest, second_digest);
    assert_eq!(operate(&mut world, "third", &["plugin", "grant", "stripe", "--yes"]).await.0, Some(0));
    listed(&mut world, &all, &|plugin| plugin["serving"] == second_digest.as_str()).await;
    // The server that rolls back has never served the version before.
    let fourth = world.another_server("fourth").await;
    assert_eq!(operate(&mut world, "fourth", &["plugin", "rollback", "stripe"]).await.0, Some(0));
    listed(&mut world, &all, &|plugin| plugin["serving"] == first_digest.as_str()).await;

    assert_eq!(operate(&mut world, "second", &["plugin", "revoke", "stripe"]).await.0, Some(0));
    for server in [&world.server, &second, &third, &fourth] {
        serves(&world, server, false, Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn a_server_with_another_key_does_not_begin_a_database_that_a_server_has_begun() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let folder = tempfile::tempdir().unwrap();
    let start = async |name: &str| {
        let mut options = ServerOptions::new(folder.path().join(name), folder.path().join("plugins"));
        options.environment = vec![("KEYFERRY_STORE_URL".to_owned(), database.url())];
        Server::try_start(options).await
    };
    std::fs::create_dir(folder.path().join("plugins")).unwrap();
    let _first = start("first").await.unwrap();
    let refused = start("second").await.err().unwrap().to_string();
    assert!(refused.contains("all servers of a database need the same key"), "{refused}");
}
