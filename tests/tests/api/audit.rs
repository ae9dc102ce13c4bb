//! The audit trail: it is complete, its export is readable by other programs, and any change to it is detected.
use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::Request;
use keyferry_tests::{ACCOUNT, ORG, World};
use serde_json::{Value, json};

async fn keyferry(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    world.command(&[arguments, &["--org", ORG]].concat()).await
}

async fn verified(world: &World) -> Value {
    let (code, printed, said) = keyferry(world, &["audit", "verify", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str(&printed).unwrap()
}

async fn write_something(world: &World) {
    let key = json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}});
    assert_eq!(world.migrate("stripe", key).await.status, 200);
    let path = format!("/api/v2/public/linked-account/integration/stripe?linked_account_id={ACCOUNT}");
    assert_eq!(world.send(Request::new("DELETE", &path).header("x-request-id", "r-1")).await.status, 200);
}

#[tokio::test]
async fn every_write_is_in_the_trail_with_its_actor_and_no_value() {
    let mut world = World::start().await;
    write_something(&world).await;
    let rejected = json!({"keybased": {"api_key": "sk_test_nobodyKnowsThisOne"}});
    assert_eq!(world.migrate("stripe", rejected).await.status, 500, "changes nothing, so it is not in the trail");
    // The same from a running server and from the folder alone.
    let running = keyferry(&world, &["audit", "export"]).await.1;
    assert!(world.server.terminate().await.success());
    let (code, exported, said) = keyferry(&world, &["audit", "export"]).await;
    assert_eq!((code, &exported), (Some(0), &running), "{said}");
    let events: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let operations: Vec<_> = events.iter().map(|event| event["api"]["operation"].as_str().unwrap()).collect();
    assert_eq!(operations, ["api_key_created", "account_put", "credential_migrated", "integration_deleted"]);
    for (event, place) in events.iter().zip(1..) {
        assert_eq!((&event["class_uid"], &event["category_uid"]), (&json!(6003), &json!(6)), "{event}");
        assert_eq!(event["type_uid"].as_u64(), event["activity_id"].as_u64().map(|id| 600_300 + id), "{event}");
        assert_eq!(event["metadata"]["sequence"], place, "{event}");
        assert!(event["time"].as_u64().unwrap() > 1_700_000_000_000, "{event}");
    }
    assert_eq!(events[0]["actor"]["user"]["name"], "operator");
    assert_eq!(events[2]["actor"]["user"]["name"], world.api_key[..7]);
    assert_eq!(
        events[2]["resources"],
        json!([
            {"type": "linked_account", "uid": ACCOUNT}, {"type": "integration", "name": "stripe"},
        ])
    );
    assert_eq!(events[3]["metadata"]["correlation_uid"], "r-1");
    assert!(!exported.contains(demo::STRIPE_SECRET_KEY) && !exported.contains(&world.api_key));
    // Each names the hash of the one before it.
    for pair in events.windows(2) {
        assert_eq!(pair[1]["unmapped"]["prev_hash"], pair[0]["metadata"]["uid"]);
    }
    let rest = keyferry(&world, &["audit", "export", "--after", "3"]).await.1;
    assert_eq!(rest.lines().collect::<Vec<_>>(), exported.lines().skip(3).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_changed_removed_or_rewritten_entry_is_found() {
    let mut world = World::start().await;
    write_something(&world).await;
    let whole = verified(&world).await;
    let head = whole["head"].as_str().unwrap().to_owned();
    assert_eq!(whole["entries"], 4);
    write_something(&world).await;
    assert_eq!(keyferry(&world, &["audit", "verify", "--known", &head]).await.0, Some(0), "it grew, and still has it");
    let (code, _, said) = keyferry(&world, &["audit", "verify", "--known", &"0".repeat(64)]).await;
    assert!(code == Some(1) && said.contains("it was rewritten since"), "{said}");
    assert!(world.server.terminate().await.success());

    type Tamper = fn(&sled::Tree, Vec<(sled::IVec, sled::IVec)>);
    let tampers: [(Tamper, &str); 3] = [
        (
            |tree, rows| {
                let mut row = rows[2].1.to_vec();
                *row.last_mut().unwrap() ^= 1;
                tree.insert(&rows[2].0, row).unwrap();
            },
            "acme does not hold at entry 3: it was changed",
        ),
        (|tree, rows| drop(tree.remove(&rows[1].0).unwrap()), "acme does not hold at entry 2: it is missing"),
        (|tree, rows| drop(tree.remove(&rows[5].0).unwrap()), "the chain ends elsewhere than it should"),
    ];
    let store = world.data().join("store");
    for (tamper, expected) in tampers {
        let database = sled::Config::new().path(&store).segment_size(8 << 20).open().unwrap();
        let tree = database.open_tree("audit").unwrap();
        let rows: Vec<_> = tree.iter().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 6);
        tamper(&tree, rows.clone());
        database.flush().unwrap();
        drop((tree, database));
        let (code, _, said) = keyferry(&world, &["audit", "verify"]).await;
        assert!(code == Some(1) && said.contains(expected), "{said}");
        // Undone, for the next case.
        let database = sled::Config::new().path(&store).segment_size(8 << 20).open().unwrap();
        let tree = database.open_tree("audit").unwrap();
        rows.into_iter().for_each(|(key, row)| drop(tree.insert(key, row).unwrap()));
        database.flush().unwrap();
        drop((tree, database));
        assert_eq!(verified(&world).await["entries"], 6);
    }
}
