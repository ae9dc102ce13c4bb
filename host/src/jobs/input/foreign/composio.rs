//! Composio.

use super::super::mapping::{Mapping, Part};
use super::super::row::{BadRow, Row};
use super::{Export, unsupported};
use crate::schema::Input;

/// What is done about masks.
const UNMASK: &str = "switch off “Mask Connected Account Secrets” in the project's settings, and export again; the tokens of \
                      connections over Composio's own OAuth apps are never given out";
/// Where the values are: of today's API, and of those before.
const VALUES: [&str; 4] = ["state.val", "data", "connectionParams", "params"];
/// What is among the values and no use elsewhere.
const NO_USE: [&str; 19] = [
    "credentials_json",
    "status",
    "token_type",
    "id_token",
    "scope",
    "expires_in",
    "expired_at",
    "error",
    "error_description",
    "code_verifier",
    "redirectUrl",
    "finalRedirectUri",
    "authUri",
    "callback_url",
    "callbackUrl",
    "state_prefix",
    "long_redirect_url",
    "webhook_signature",
    "composio_link_redirect_url",
];

/// A connected account as Composio's API gives it, by itself or among the `items` of a list
/// (<https://docs.composio.dev/reference/v3/api-reference/connected-accounts/getConnectedAccountsByNanoid>; what is masked and when:
/// <https://docs.composio.dev/docs/changelog/2026/04/22>).
///
/// - The account is `user_id`; of older APIs `clientUniqueUserId` or `entityId`.
/// - The app is looked up in the mapping by `toolkit.slug` (`appUniqueId` or `appName` of older APIs), which it is otherwise.
/// - Of `state.val`, by `state.authScheme`: `OAUTH2` becomes `oauth2`. `API_KEY` (as `api_key`), `BEARER_TOKEN` (as
///   `access_token`), `BASIC` and `GOOGLE_SERVICE_ACCOUNT` become `keybased`.
/// - What else is in `state.val` (`subdomain`, `shop`, `region`) is spare.
pub(in super::super) fn composio(input: Input, mapping: &Mapping) -> Result<Row, BadRow> {
    Export::begin(&input, mapping, UNMASK)?.read(|export| {
        export.part(Part::Account, &["user_id", "userId", "clientUniqueUserId", "entityId"])?;
        export.part(Part::UpdatedAt, &["updated_at", "updatedAt"])?;
        export.slug(&["toolkit.slug", "appUniqueId", "appName"])?;
        credentials(export)
    })
}

fn credentials(export: &mut Export<'_>) -> Result<&'static str, BadRow> {
    let is_filled =
        |path: &&&str| super::at(export.input, path).and_then(Input::members).is_some_and(|m| !m.is_empty());
    let Some(values) = VALUES.iter().find(is_filled) else {
        return Err(BadRow::missing("state.val", ", which holds the credential"));
    };
    let schemes =
        ["state.authScheme", "state.auth_scheme", "auth_config.auth_scheme", "authConfig.authScheme", "authScheme"];
    let scheme = schemes.iter().find_map(|path| export.text(path));
    let Some(scheme) = scheme.or_else(|| export.text(&format!("{values}.access_token")).map(|_| "OAUTH2")) else {
        return Err(BadRow::missing("state.authScheme", ", which says what the credential is"));
    };
    let at = |name: &str| format!("{values}.{name}");
    let auth_type = match scheme {
        "OAUTH2" => {
            export.proper(&at("access_token"), "access_token")?;
            export.proper(&at("refresh_token"), "refresh_token")?;
            export.expiry(&at("expires_at"));
            "oauth2"
        }
        "API_KEY" => {
            let is_there = export.text(&at("api_key")).is_some();
            export.proper(&at(if is_there { "api_key" } else { "generic_api_key" }), "api_key")?;
            "keybased"
        }
        "BEARER_TOKEN" => {
            export.proper(&at("token"), "access_token")?;
            "keybased"
        }
        "BASIC" => {
            export.proper(&at("username"), "username")?;
            export.proper(&at("password"), "password")?;
            "keybased"
        }
        "GOOGLE_SERVICE_ACCOUNT" => {
            export.service_account(&at("credentials_json"))?;
            "keybased"
        }
        "NO_AUTH" => return Err(unsupported("a connection without credentials", "there is nothing to take over")),
        _ => {
            let taken = "OAUTH2, API_KEY, BEARER_TOKEN, BASIC and GOOGLE_SERVICE_ACCOUNT can";
            return Err(unsupported("credentials of this scheme", taken));
        }
    };
    export.spare(values, &NO_USE);
    Ok(auth_type)
}
