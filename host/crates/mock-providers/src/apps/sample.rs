//! The credentials of the demo as a list and as a file to import, with what becomes of each.

use std::collections::BTreeSet;

use super::demo;

/// A credential that one of the demo's mock providers knows.
#[derive(Debug, Clone, Copy)]
pub struct SampleCredential {
    /// The app.
    pub slug: &'static str,
    /// The auth type.
    pub auth_type: &'static str,
    /// The fields and their values.
    pub fields: &'static [(&'static str, &'static str)],
    /// What the provider says of it.
    pub outcome: &'static str,
}

const fn hubspot(token: &'static [(&'static str, &'static str)], outcome: &'static str) -> SampleCredential {
    SampleCredential { slug: "hubspot", auth_type: "oauth2", fields: token, outcome }
}

const fn keybased(
    slug: &'static str,
    fields: &'static [(&'static str, &'static str)],
    outcome: &'static str,
) -> SampleCredential {
    SampleCredential { slug, auth_type: "keybased", fields, outcome }
}

/// Credentials of all four apps, each with the account that [`csv`] puts it onto.
pub const CREDENTIALS: [SampleCredential; 11] = [
    hubspot(&[("access_token", demo::HUBSPOT_ACCESS_TOKEN), ("refresh_token", demo::HUBSPOT_REFRESH_TOKEN)], "works"),
    hubspot(
        &[("access_token", demo::HUBSPOT_EXPIRED_TOKEN), ("refresh_token", demo::HUBSPOT_REFRESH_TOKEN)],
        "has expired",
    ),
    hubspot(
        &[("access_token", demo::HUBSPOT_SCOPELESS_TOKEN), ("refresh_token", demo::HUBSPOT_REFRESH_TOKEN)],
        "lacks a scope",
    ),
    hubspot(
        &[("access_token", demo::HUBSPOT_BUSY_TOKEN), ("refresh_token", demo::HUBSPOT_REFRESH_TOKEN)],
        "is rate-limited for 2 s, then works",
    ),
    keybased(
        "netsuite",
        &[
            ("account_id", demo::NETSUITE_ACCOUNT_ID),
            ("consumer_key", demo::NETSUITE_CONSUMER_KEY),
            ("consumer_secret", demo::NETSUITE_CONSUMER_SECRET),
            ("token_id", demo::NETSUITE_TOKEN_ID),
            ("token_secret", demo::NETSUITE_TOKEN_SECRET),
        ],
        "works",
    ),
    keybased("slack", &[("bot_token", demo::SLACK_BOT_TOKEN)], "works"),
    keybased("slack", &[("bot_token", demo::SLACK_REVOKED_TOKEN)], "was revoked"),
    keybased("slack", &[("bot_token", demo::SLACK_INACTIVE_TOKEN)], "is of a deleted account"),
    keybased("stripe", &[("api_key", demo::STRIPE_SECRET_KEY)], "works"),
    keybased("stripe", &[("api_key", demo::STRIPE_RESTRICTED_KEY)], "is restricted, and works"),
    keybased("stripe", &[("api_key", demo::STRIPE_EXPIRED_KEY)], "has expired"),
];

/// The file of a customer who moves: a row for each of [`CREDENTIALS`], of the accounts `customer_1`, `customer_2` and so on.
pub fn csv() -> String {
    let mut fields: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, _) in CREDENTIALS.iter().flat_map(|one| one.fields) {
        if seen.insert(name) {
            fields.push(name);
        }
    }
    let mut text = format!("linked_account_id,slug,auth_type,{}\n", fields.join(","));
    for (number, one) in (1..).zip(&CREDENTIALS) {
        let value = |name: &&str| one.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| *value);
        let values: Vec<&str> = fields.iter().map(value).collect();
        text.push_str(&format!("customer_{number},{},{},{}\n", one.slug, one.auth_type, values.join(",")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_a_row_for_each_credential_and_no_value_that_csv_would_quote() {
        let text = csv();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 1 + CREDENTIALS.len());
        assert!(rows.iter().all(|row| row.matches(',').count() == rows[0].matches(',').count()), "{text}");
        assert!(!text.contains('"'), "{text}");
        for (row, one) in rows[1..].iter().zip(&CREDENTIALS) {
            assert!(one.fields.iter().all(|(_, value)| row.split(',').any(|cell| cell == *value)), "{row}");
        }
    }
}
