//! The cases of the shipped apps, which the program carries.

use std::path::Path;

use include_dir::{Dir, include_dir};

use crate::cases::case::Case;
use crate::cases::load::{CaseError, parse};

static APPS: [(&str, Dir<'_>); 16] = [
    ("aws", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/aws/cases")),
    ("bigquery", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/bigquery/cases")),
    ("datadog", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/datadog/cases")),
    ("github", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/github/cases")),
    ("hubspot", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/hubspot/cases")),
    ("linear", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/linear/cases")),
    ("mailchimp", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/mailchimp/cases")),
    ("netsuite", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/netsuite/cases")),
    ("paypal", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/paypal/cases")),
    ("salesforce", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/salesforce/cases")),
    ("shopify", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/shopify/cases")),
    ("slack", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/slack/cases")),
    ("stripe", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/stripe/cases")),
    ("twilio", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/twilio/cases")),
    ("xero", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/xero/cases")),
    ("zendesk", include_dir!("$CARGO_MANIFEST_DIR/../../../plugins/zendesk/cases")),
];

/// The slugs of the shipped apps, by name.
pub fn shipped_apps() -> impl Iterator<Item = &'static str> {
    APPS.iter().map(|(slug, _)| *slug)
}

/// The cases of a shipped app, by name; `None` if there is no such app.
///
/// # Errors
/// If one cannot be read.
pub fn shipped_cases(slug: &str) -> Option<Result<Vec<Case>, CaseError>> {
    let (_, folder) = APPS.iter().find(|(known, _)| *known == slug)?;
    let mut files: Vec<_> =
        folder.files().filter(|file| file.path().extension().is_some_and(|e| e == "toml")).collect();
    files.sort_by_key(|file| file.path());
    let parsed = files.into_iter().map(|file| {
        let path = Path::new("plugins").join(slug).join("cases").join(file.path());
        parse(&path, file.contents_utf8().unwrap_or_default())
    });
    Some(parsed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_app_has_its_cases_here() {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plugins");
        let mut there = Vec::new();
        for entry in std::fs::read_dir(plugins).unwrap() {
            let folder = entry.unwrap().path();
            if folder.join("cases").is_dir() {
                there.push(folder.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
        there.sort();
        assert_eq!(shipped_apps().collect::<Vec<_>>(), there);
        for slug in shipped_apps() {
            assert!(shipped_cases(slug).unwrap().unwrap().len() >= 3, "{slug}");
        }
        assert!(shipped_cases("acme").is_none());
    }
}
