//! The credentials that are shown, and the sample file with them.

use std::collections::HashSet;
use std::path::Path;

use crate::cli::error::CliError;
use keyferry_devkit::cases::mock::{MockCredential, MockTable, Origin};
use keyferry_types::path_text::ShowPath as _;

/// One credential for each app, auth type and outcome, that of the case with the shortest name; or those of all cases. A case without a
/// value is none: a file has no such row.
pub(super) fn select(table: &MockTable, every_case: bool) -> Vec<MockCredential> {
    let mut all: Vec<&MockCredential> =
        table.credentials().iter().filter(|one| one.origin == Origin::Case && !one.fields.is_empty()).collect();
    all.sort_by_key(|one| (one.slug.clone(), one.outcome != "verified", one.case.len()));
    let mut seen = HashSet::new();
    all.retain(|one| seen.insert((&one.slug, &one.auth_type, &one.outcome)) || every_case);
    all.into_iter().cloned().collect()
}

/// The linked account of a credential in the sample.
pub(super) fn account(credential: &MockCredential) -> String {
    format!("{}-{}", credential.slug, credential.case)
}

/// The value of a field as text.
pub(super) fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Writes a file to import, with a row for each credential.
pub(super) fn write_csv(credentials: &[MockCredential], path: &Path) -> Result<(), CliError> {
    let mut fields: Vec<&str> = Vec::new();
    let mut seen = HashSet::new();
    for (name, _) in credentials.iter().flat_map(|one| &one.fields) {
        if seen.insert(name) {
            fields.push(name);
        }
    }
    let failed = |error: &dyn std::fmt::Display| format!("cannot write the sample to {}: {error}", path.shown());
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["linked_account_id", "slug", "auth_type"].iter().chain(&fields))
        .map_err(|error| failed(&error))?;
    for one in credentials {
        let value = |name: &&str| {
            let found = one.fields.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| text(value)).unwrap_or_default()
        };
        let row = [account(one), one.slug.clone(), one.auth_type.clone()];
        csv.write_record(row.into_iter().chain(fields.iter().map(value))).map_err(|error| failed(&error))?;
    }
    let content = csv.into_inner().map_err(|error| failed(&error))?;
    std::fs::write(path, content).map_err(|error| failed(&error))?;
    Ok(())
}
