//! Organisations: the list, and an error for a name that does not exist.

use keyferry_tests::{ORG, World, create_api_key};
use serde_json::Value;

/// Each operator's command that names an organisation and does not create it.
const COMMANDS: [&[&str]; 10] = [
    &["api-key", "list"],
    &["api-key", "list", "--json"],
    &["api-key", "revoke", "tk_x"],
    &["key", "list"],
    &["key", "rotate"],
    &["key", "reseal"],
    &["key", "disable", "1"],
    &["key", "destroy", "1", "--yes"],
    &["audit", "verify"],
    &["audit", "export"],
];

async fn refused(world: &World, command: &[&str]) {
    let (code, printed, said) = world.command(&[command, &["--org", "acne"]].concat()).await;
    assert_eq!((code, printed.as_str()), (Some(1), ""), "{command:?}: {said}");
    assert!(
        said.contains("there is no organisation acne") && said.contains("`keyferry org list`"),
        "{command:?}: {said}"
    );
}

async fn listed(world: &World) -> Vec<String> {
    let (code, printed, said) = world.command(&["org", "list", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let listed: Vec<Value> = serde_json::from_str(&printed).unwrap();
    assert!(listed.iter().all(|one| one["created_at"].is_string() && one["root_keys"].is_u64()), "{printed}");
    listed.iter().map(|one| one["org"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_organisation_that_does_not_exist_is_an_error_in_every_command_and_list_has_those_that_do() {
    let mut world = World::start().await;
    for command in COMMANDS {
        refused(&world, command).await;
    }
    assert_eq!(listed(&world).await, [ORG]);
    let (_, table, _) = world.command(&["org", "list"]).await;
    assert!(table.contains(ORG), "{table}");

    // The same without a server.
    assert!(world.server.terminate().await.success());
    for command in COMMANDS {
        refused(&world, command).await;
    }
    let key = world.folder().join("new.key").display().to_string();
    refused(&world, &["key", "rewrap", "--to-key-file", &key]).await;
    create_api_key(&world.data(), "abacus", "test").await;
    let (code, _, said) = world.command(&["key", "rotate", "--org", "abacus"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(listed(&world).await, ["abacus", ORG]);
}
