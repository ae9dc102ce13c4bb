//! Imports in the audit trail.

use std::collections::BTreeMap;

/// How often each row of an import stored a credential, from the output of `keyferry audit export`.
pub fn rows_stored(trail: &str) -> BTreeMap<String, u32> {
    let mut rows = BTreeMap::new();
    for line in trail.lines().filter(|line| line.contains("credential_migrated")) {
        if let Some((_, from)) = line.split_once("import ")
            && let Some(row) = from.split('"').next()
        {
            *rows.entry(row.to_owned()).or_default() += 1;
        }
    }
    rows
}
