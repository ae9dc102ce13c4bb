//! Fields of an export that are not stored, and apps that Keyferry does not have.

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::Request;
use serde_json::{Value, json};

use super::exported::Exported;
use crate::shop::{IMPORTS, lines, until_ended};

#[tokio::test]
async fn a_spare_secret_is_told_in_the_rows_warnings_and_counted() {
    let exported = Exported::open().await;
    let connection = |account: &str, more: Value| {
        json!({"connection_id": account, "provider": "stripe", "connection_config": more,
               "credentials": {"type": "API_KEY", "apiKey": demo::STRIPE_SECRET_KEY}})
    };
    let rows = json!([
        connection("user_1", json!({"webhookSecret": "whsec_lost", "plan": "gold"})),
        connection("user_2", json!({"plan": "gold"})),
    ]);
    let path = format!("{IMPORTS}?create_accounts=true&from=nango");
    let sent = exported.world.send(Request::new("POST", &path).body("application/json", rows.to_string())).await;
    let id = sent.json()["id"].as_str().unwrap().to_owned();
    let import = until_ended(&exported.world, &id).await;
    assert_eq!((&import["counts"]["done"], &import["rows_with_warnings"]), (&json!(2), &json!(1)), "{import:#}");
    let results = exported.world.send(Request::new("GET", &format!("{IMPORTS}/{id}/results?warnings=true"))).await;
    let warned = lines(&results);
    assert_eq!((warned.len(), &warned[0]["row"]), (1, &json!(1)));
    let warning = warned[0]["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("`connection_config.webhookSecret` looks like a secret and is not stored"),
        "{warning}"
    );
    assert!(!results.text().contains("whsec_lost"));
}

#[tokio::test]
async fn an_app_that_is_not_here_is_told_by_the_name_that_the_export_has_for_it() {
    let exported = Exported::open().await;
    let connection = json!({"connection_id": "user_1", "provider": "notion-oauth2",
                            "credentials": {"type": "OAUTH2", "access_token": "ntn_0123456789abcdef"}});
    let csv = "linked_account_id,slug,auth_type,api_key\nuser_1,Google BigQuery,keybased,k\nuser_2,s3cr3t-v4lue,keybased,k\nuser_3,acme-crm,keybased,k\n";
    for (query, content_type, file, told) in [
        ("from=nango", "application/json", connection.to_string(), vec![("notion", "no app with the slug `notion`")]),
        (
            "from=native",
            "text/csv",
            csv.to_owned(),
            vec![
                ("Google BigQuery", "--map 'slug:Google BigQuery=bigquery'"),
                ("***", "`***`"),
                ("acme-crm", "no app with the slug `acme-crm`"),
            ],
        ),
    ] {
        let path = format!("{IMPORTS}?{query}");
        let sent = exported.world.send(Request::new("POST", &path).body(content_type, file)).await;
        let id = sent.json()["id"].as_str().unwrap().to_owned();
        until_ended(&exported.world, &id).await;
        let results = exported.world.send(Request::new("GET", &format!("{IMPORTS}/{id}/results"))).await;
        for (row, (slug, part)) in lines(&results).iter().zip(told) {
            assert_eq!((&row["outcome"], &row["slug"]), (&json!("unknown_app"), &json!(slug)), "{row:#}");
            assert!(row["detail"].as_str().unwrap().contains(part), "{row:#}");
        }
    }
}
