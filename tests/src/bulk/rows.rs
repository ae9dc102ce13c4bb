//! The rows of a large file. A tenth of them is bad, and every kind of defect occurs.

#![expect(clippy::indexing_slicing, reason = "the list of credentials has something in it, and places are within it")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use serde_json::{Value, json};

/// The expected number of rows, by outcome.
pub type Expected = BTreeMap<&'static str, u64>;

/// Writes a file and returns the expected outcomes.
pub fn generate(
    path: &Path,
    accounts: &str,
    rows: u64,
    credentials: &[(&'static str, Value)],
    seed: u64,
) -> Result<Expected, Box<dyn Error>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut out = BufWriter::new(File::create(path)?);
    let mut expected = Expected::new();
    let mut last_good = None;
    for number in 1..=rows {
        let (slug, auth_object) = &credentials[random.usize(..credentials.len())];
        let account = format!("{accounts}_{number}");
        let row = json!({ "linked_account_id": account, "slug": slug, "auth_object": auth_object });
        let (outcome, line) = match (random.u64(..10), number % 7) {
            (0, 0) => ("invalid_json", b"{\"linked_account_id\": ".to_vec()),
            (0, 1) => ("invalid_encoding", b"{\"linked_account_id\": \"\xff\"}".to_vec()),
            (0, 2) => {
                ("missing_column", json!({ "linked_account_id": account, "auth_object": {} }).to_string().into_bytes())
            }
            // Only a few of these rows, because they are large.
            (0, 3) if random.u64(..50) == 0 => {
                let large = "x".repeat(1_100_000);
                let row = json!({ "linked_account_id": account, "slug": slug, "auth_object": { "keybased": { "api_key": large } } });
                ("row_too_large", row.to_string().into_bytes())
            }
            (0, 4) if last_good.is_some() => ("duplicate_row", last_good.clone().unwrap_or_default()),
            (0, 5) => {
                let row = json!({ "linked_account_id": account, "slug": "nowhere", "auth_object": {} });
                ("unknown_app", row.to_string().into_bytes())
            }
            (0, _) => {
                let row = json!({ "linked_account_id": account, "slug": "stripe",
                    "auth_object": { "keybased": { "api_key": format!("sk_test_wrong{number}") } } });
                ("rejected", row.to_string().into_bytes())
            }
            _ => {
                let line = row.to_string().into_bytes();
                last_good = Some(line.clone());
                ("created", line)
            }
        };
        *expected.entry(outcome).or_default() += 1;
        out.write_all(&line)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(expected)
}
