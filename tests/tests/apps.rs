//! Each shipped app from end to end: its credential is migrated over TLS, and the provider sees it where it belongs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use keyferry_tests::apps::shipped_apps;
use keyferry_tests::{ServerChange, World, WorldOptions, binary};

const MIGRATED: &str = r#"{"success":true,"message":"Token migrated successfully"}"#;

#[tokio::test]
async fn a_credential_of_each_app_is_migrated_over_tls() {
    let (providers, credentials) = shipped_apps().await;
    let change: ServerChange = Box::new(|options| binary::copy(binary::slugs(), &options.plugins));
    let world = World::start_with(WorldOptions { providers: Some(providers), server: Some(change) }).await;
    let tried: BTreeSet<String> = credentials.iter().map(|(slug, _)| (*slug).to_owned()).collect();
    assert_eq!(tried, binary::slugs().into_iter().collect(), "every shipped app is tried");
    for (slug, auth_object) in credentials {
        assert_eq!(world.migrate(slug, auth_object).await.text(), MIGRATED, "{slug}");
    }
}
