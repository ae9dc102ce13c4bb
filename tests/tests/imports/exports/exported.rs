//! A server with all shipped apps, and the stored credentials of an export.

use keyferry_tests::apps::shipped_apps;
use keyferry_tests::http::Request;
use keyferry_tests::{ServerChange, World, WorldOptions, binary};
use serde_json::{Value, json};

use crate::shop::{IMPORTS, lines, until_ended};

pub(super) const RSA_KEY: &str = include_str!("../../../../host/crates/devkit/src/cases/test_rsa_key.pem");
pub(super) const TWILIO: &str = "AC0123456789abcdef0123456789abcdef";
pub(super) const EMAIL: &str = "i@acme-example.iam.gserviceaccount.com";

/// A row of an export: the app, its name in the other system, its credential there, and the fields that must be stored.
pub(super) type Case = (&'static str, &'static str, Value, Vec<(&'static str, &'static str)>);

pub(super) struct Exported {
    pub(super) world: World,
}

impl Exported {
    pub(super) async fn open() -> Self {
        let (providers, _) = shipped_apps().await;
        let change: ServerChange = Box::new(|options| binary::copy(binary::slugs(), &options.plugins));
        let options = WorldOptions { providers: Some(providers), server: Some(change) };
        Self { world: World::start_with(options).await }
    }

    /// Imports an export, and checks the stored credential of each row. The account of a row is `user_` and the app.
    pub(super) async fn imports(&self, query: &str, rows: &Value, cases: &[Case]) {
        let path = format!("{IMPORTS}?create_accounts=true&{query}");
        let sent = self.world.send(Request::new("POST", &path).body("application/json", rows.to_string())).await;
        assert_eq!(sent.status, 202, "{}", sent.text());
        let id = sent.json()["id"].as_str().unwrap().to_owned();
        let import = until_ended(&self.world, &id).await;
        let results = self.world.send(Request::new("GET", &format!("{IMPORTS}/{id}/results"))).await;
        let ledger = lines(&results);
        for (row, (slug, ..)) in ledger.iter().zip(cases) {
            assert_eq!((&row["slug"], &row["outcome"]), (&json!(slug), &json!("created")), "{query} {row:#}");
            assert!(!row["warnings"].to_string().contains("is not stored"), "{query} {row:#}");
        }
        assert_eq!((ledger.len(), &import["counts"]["done"]), (cases.len(), &json!(cases.len())));
        let key = self.reader().await;
        for (slug, _, _, fields) in cases {
            let path = format!("/api/v2/public/linked-account/user_{slug}/integration/{slug}/credentials");
            let stored = self.world.send_as_it_is(Request::new("GET", &path).header("x-api-key", &key)).await;
            assert_eq!(stored.status, 200, "{slug}: {}", stored.text());
            let shown = stored.json().to_string();
            for (name, value) in fields {
                let member = format!("{}:{}", json!(name), json!(value));
                assert!(shown.contains(&member), "{query} {slug}: {name} is missing in {:?}", names(&stored.json()));
            }
        }
    }

    async fn reader(&self) -> String {
        let arguments = ["api-key", "create", "--org", "acme", "--environment", "test", "--scope", "read_credentials"];
        let (code, key, said) = self.world.command(&arguments).await;
        assert_eq!(code, Some(0), "{said}");
        key.trim().to_owned()
    }
}

/// All names in a value.
fn names(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            members.iter().flat_map(|(name, value)| [vec![name.clone()], names(value)].concat()).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn service_account() -> Value {
    json!({ "type": "service_account", "project_id": "acme-example", "private_key": RSA_KEY, "client_email": EMAIL })
}
