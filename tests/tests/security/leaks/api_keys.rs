//! The look-up and the comparison of API keys.

use std::path::Path;

/// The other half of constant time: a key is found by its hash, and hashes are compared in constant time. The
/// actual durations are measured by `cargo run -p keyferry-tests -- timing`.
///
/// Text that is not a key fails its checksum before the store is read. That takes less time, and tells a sender
/// only whether its own text has a valid form.
#[test]
fn keys_are_looked_up_by_hash_and_compared_in_constant_time() {
    let source = |file: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/crates").join(file)).unwrap()
    };
    let body = |text: &str, signature: &str| {
        let (_, rest) = text.split_once(signature).unwrap_or_else(|| panic!("there is no {signature}"));
        rest.split("\n    }\n").next().unwrap().to_owned()
    };
    let access = source("api/src/auth/access.rs");
    let key = body(&access, "async fn key(");
    assert!(key.contains("let hash = key.hash();") && key.contains("self.keys.get(&hash, now)"), "{key}");
    assert!(key.contains("record.hash.ct_eq(&hash)"), "{key}");
    assert!(!key.contains("expose()"), "{key}");
    let vault = source("vault/src/api_key.rs");
    assert!(body(&vault, "fn hash_matches(").contains(".ct_eq("));
    assert!(body(&vault, "fn from_str(").contains(".ct_eq(&checksum("));
    assert!(!vault.contains("PartialEq for ApiKey") && !vault.contains("derive(PartialEq)]\npub struct ApiKey"));
}
