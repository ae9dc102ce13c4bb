//! Exports of n8n.

use super::export::Export;
use super::slugs;
use super::values::{Lists, at, snake, walk};
use crate::input::json::{self, Place};
use crate::input::mapping::Mapping;
use crate::input::part::Part;
use crate::input::renaming::Role;
use crate::input::row::{BadRow, BadRowKind, Row};
use crate::input::text::text_of;
use keyferry_schema::Input;

/// What is done about masks.
const UNMASK: &str = "export with `n8n export:credentials --all --decrypted`";
/// Members of `data` that say how to sign in, and hold no credential.
const NO_USE: [&str; 20] = [
    "accessTokenUrl",
    "allowedDomains",
    "allowedHttpRequestDomains",
    "authQueryParameters",
    "authType",
    "authUrl",
    "authentication",
    "callbackQueryString",
    "customScopes",
    "enabledScopes",
    "grantType",
    "ignoreSSLIssues",
    "jsonData",
    "notice",
    "oauthTokenData",
    "oauth_callback",
    "scope",
    "sendAdditionalBodyProperties",
    "serverUrl",
    "useDynamicClientRegistration",
];
/// Members of a row with names like those of secrets whose values are not secret.
const PASSED: &[&str] =
    &["id", "type", "name", "nodesAccess", "shared", "homeProject", "data.csrfSecret", "data.oauthTokenData.signature"];

/// A credential as `n8n export:credentials --decrypted` writes it, alone or in an array
/// (<https://docs.n8n.io/hosting/cli-commands/#credentials>). Without `--decrypted`, `data` is one text that only n8n can read.
///
/// - No account is named. A rule says what it is: `name=linked_account_id` or `id=linked_account_id`, where each credential is an
///   account's own, or `linked_account_id:=acme`, where all of them are one account's.
/// - The app is looked up in the mapping by `type`, which says it otherwise: `hubspotAppToken`, `slackOAuth2Api`.
/// - `data` with `oauthTokenData` suggests `oauth2`, with the members of that; any other suggests `keybased`. What has the name of
///   a secret is the credential; what else is in there is spare.
pub(in crate::input) fn n8n(input: Input, mapping: &Mapping) -> Result<Row, BadRow> {
    Export::begin(&input, mapping, UNMASK)?.read(|export| {
        export.pass(PASSED);
        export.has_expressions = true;
        export.part(Part::UpdatedAt, &["updatedAt"])?;
        export.slug_by(&["type"], slugs::of_type)?;
        credentials(export)
    })
}

/// What is said where no rule names the account.
pub(in crate::input) const NO_ACCOUNT: &str = ": an export of n8n's names no account; `--map name=linked_account_id` takes the credential's name for \
                          it, `--map id=linked_account_id` its id, `--map linked_account_id:=ACCOUNT` one account for all";

fn credentials(export: &mut Export<'_>) -> Result<&'static str, BadRow> {
    match export.input.member("data") {
        Some(Input::Object(_)) => {}
        Some(Input::Text(_)) => {
            let message = format!("`data` is encrypted: {UNMASK}");
            return Err(BadRow::new(BadRowKind::MaskedValue, message).field("data"));
        }
        _ => return Err(BadRow::missing("data", ", which holds the credential")),
    }
    let is_oauth2 = tokens(export)?;
    if is_oauth2 {
        export.spare("data", &NO_USE)?;
        return Ok("oauth2");
    }
    export.told_by_names("data", &NO_USE)?;
    Ok("keybased")
}

/// The tokens of OAuth 2.0, which older releases wrote as text.
fn tokens(export: &mut Export<'_>) -> Result<bool, BadRow> {
    let path = "data.oauthTokenData";
    let parsed;
    let tokens = match at(export.input, path) {
        Some(Input::Text(text)) => {
            parsed = json::parse(text.expose().as_bytes(), Place::START)?;
            &parsed
        }
        Some(tokens) => tokens,
        None => return Ok(false),
    };
    let has_token = tokens.member("access_token").and_then(text_of).is_some_and(|token| !token.is_empty());
    if !has_token {
        return Ok(false);
    }
    for name in ["access_token", "refresh_token"] {
        if let Some(value) = tokens.member(name) {
            export.proper_value(&format!("{path}.{name}"), name, value)?;
        }
    }
    if let Some(value) = tokens.member("expires_at") {
        export.expiry_value(&format!("{path}.expires_at"), value);
    }
    let (mut leaves, known) =
        (Vec::new(), ["access_token", "refresh_token", "expires_at", "token_type", "scope", "signature"]);
    for (name, value) in tokens.members().unwrap_or_default() {
        if !known.contains(&name.as_str()) {
            walk(&format!("{path}.{name}"), &snake(name), value, Lists::Passed, &mut leaves);
        }
    }
    leaves.retain(|(path, ..)| !export.is_passed(path));
    for (path, name, value) in leaves {
        export.add(&path, &name, value, Role::Spare);
    }
    Ok(true)
}
