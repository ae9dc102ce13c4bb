//! Undoing an import.

use keyferry_tests::ACCOUNT;
use keyferry_tests::http::Request;
use serde_json::{Value, json};

use super::shop::{Shop, good, hub, row};

/// The whole account except the versions of its integrations.
async fn looks(shop: &Shop, account: &str) -> Option<Value> {
    let mut account = shop.account(account).await?;
    for integration in account["integrations"].as_array_mut().unwrap() {
        assert!(integration["revision"].take().is_string());
    }
    Some(account)
}

#[tokio::test]
async fn undo_puts_back_what_was_replaced_removes_what_was_made_and_keeps_what_was_changed_since() {
    let shop = Shop::open(&[]).await;
    shop.world.create_account("user_2").await;
    shop.world.create_account("user_3").await;
    shop.import("", &[row(ACCOUNT, "sk_test_ok_before"), row("user_2", "sk_test_ok_second")]).await;
    let (first, second, third) =
        (looks(&shop, ACCOUNT).await, looks(&shop, "user_2").await, looks(&shop, "user_3").await);

    let rows = [
        row(ACCOUNT, "sk_test_ok_after"),
        row("user_2", "sk_test_ok_other"),
        good("user_3"),
        good("made"),
        hub("made"),
        good("made_and_used"),
        row("user_9", "sk_test_wrong"),
    ];
    let import = shop.import("create_accounts=true&account_change=replace", &rows).await;
    assert_eq!(import["outcomes"], json!({"created": 4, "updated": 2, "rejected": 1}), "{import:#}");
    assert_eq!(shop.stored(ACCOUNT, "stripe", "api_key").await.as_deref(), Some("sk_test_ok_after"));
    // Later requests change two of the accounts.
    let since = shop.import("account_change=replace", &[row("user_2", "sk_test_ok_since")]).await;
    assert_eq!(since["outcomes"], json!({"updated": 1}));
    let used = json!({"account_id": "made_and_used", "name": "Used"});
    let put = Request::new("PUT", "/api/v2/public/linked-account").json(&used);
    assert_eq!(shop.world.send(put).await.status, 200);

    let id = import["id"].as_str().unwrap();
    assert_eq!(shop.change(id, "undo").await.status, 200);
    let undone = shop.ended(id).await;
    assert_eq!(undone["state"], "undone");
    assert_eq!(
        undone["outcomes"],
        json!({"put_back": 1, "removed": 4, "changed_since": 1, "rejected": 1}),
        "{undone:#}"
    );
    let ledger = shop.ledger(id).await;
    assert_eq!((&ledger[1]["state"], &ledger[1]["outcome"]), (&json!("kept"), &json!("changed_since")));
    assert!(ledger[1]["detail"].as_str().unwrap().contains("replaced since"));

    assert_eq!(looks(&shop, ACCOUNT).await, first, "the account is as before");
    assert_eq!(shop.stored(ACCOUNT, "stripe", "api_key").await.as_deref(), Some("sk_test_ok_before"));
    assert_ne!(looks(&shop, "user_2").await, second);
    assert_eq!(shop.stored("user_2", "stripe", "api_key").await.as_deref(), Some("sk_test_ok_since"));
    assert_eq!(looks(&shop, "user_3").await, third);
    assert!(looks(&shop, "made").await.is_none(), "an account that the import created is deleted");
    assert_eq!(looks(&shop, "made_and_used").await.unwrap()["integrations"], json!([]), "one that is used stays");
    let (code, said, _) = shop.world.command(&["audit", "verify", "--org", "acme"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(shop.change(id, "undo").await.status, 409);
}

#[tokio::test]
async fn what_is_confirmed_cannot_be_undone_and_its_secrets_are_forgotten() {
    let shop = Shop::open(&[]).await;
    let import = shop.import("", &[good(ACCOUNT)]).await;
    let id = import["id"].as_str().unwrap();
    assert_eq!(import["restore"], "possible");
    assert_eq!(shop.change(id, "confirm").await.json()["restore"], "over");
    let refused = shop.change(id, "undo").await;
    assert_eq!(refused.status, 409);
    assert_eq!(shop.stored(ACCOUNT, "stripe", "api_key").await.as_deref(), Some("sk_test_ok_user_1"));
    assert_eq!(shop.ledger(id).await.len(), 1, "the ledger stays");
}

#[tokio::test]
async fn a_root_key_is_not_taken_out_of_use_while_an_import_needs_it() {
    let shop = Shop::open(&[]).await;
    shop.import("", &[row(ACCOUNT, "sk_test_ok_before")]).await;
    let import = shop.import("account_change=replace", &[row(ACCOUNT, "sk_test_ok_after")]).await;
    let id = import["id"].as_str().unwrap();
    for (command, says) in [("rotate", "key 2 seals"), ("reseal", "that imports keep for `undo`")] {
        let (code, printed, said) = shop.world.command(&["key", command, "--org", "acme"]).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(printed.contains(says), "{printed}");
    }
    let (code, _, said) = shop.world.command(&["key", "disable", "1", "--org", "acme"]).await;
    assert_ne!(code, Some(0));
    assert!(said.contains("confirm or delete imports"), "{said}");
    assert_eq!(shop.change(id, "undo").await.status, 200);
    assert_eq!(
        shop.ended(id).await["outcomes"],
        json!({"put_back": 1}),
        "what was sealed under the old root is put back"
    );
    let first = shop.world.send(Request::new("GET", super::shop::IMPORTS)).await.json();
    for import in first["imports"].as_array().unwrap() {
        shop.change(import["id"].as_str().unwrap(), "confirm").await;
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let (code, _, said) = shop.world.command(&["key", "disable", "1", "--org", "acme"]).await;
        if code == Some(0) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{said}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(shop.stored(ACCOUNT, "stripe", "api_key").await.as_deref(), Some("sk_test_ok_before"));
}
