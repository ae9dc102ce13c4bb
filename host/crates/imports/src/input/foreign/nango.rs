//! Exports of Nango.

use super::export::{Export, unsupported};
use crate::input::mapping::Mapping;
use crate::input::part::Part;
use crate::input::row::{BadRow, Row};
use keyferry_schema::Input;

/// What is done about masks.
const UNMASK: &str = "export with an API key that has the scope `environment:connections:read_credentials`";
/// Members of `credentials` that the user did not enter: tokens that Nango obtained with them, and their expiry.
const MINTED: [&str; 5] = ["type", "token", "expires_at", "raw", "config_override"];
/// Members with names like those of secrets whose values are not secret.
const PASSED: &[&str] = &[
    "provider_config_key",
    "providerConfigKey",
    "connection_id",
    "connectionId",
    "end_user",
    "endUser",
    "errors",
    "credentials.type",
    "credentials.raw.signature",
];
/// Tokens that Nango obtained with what the user entered; that is imported instead.
const MINTED_VALUES: &[&str] = &["credentials.token", "credentials.raw"];

/// A connection as Nango's API gives it, with its credentials: the response to `GET /connections/{connectionId}`
/// (<https://nango.dev/docs/reference/backend/http-api/connection/get> for the same under its older name; the types of credentials
/// are in <https://github.com/NangoHQ/nango/blob/master/packages/types/lib/auth/api.ts>). Lists of connections have no credentials
/// in them.
///
/// - The account is `end_user.id`, or the tag `end_user_id`, or `connection_id`.
/// - The app is looked up in the mapping by `provider_config_key`, then by `provider`; otherwise it is the provider's app, whatever
///   the way to authenticate (`netsuite-tba`, `shopify-api-key`, `salesforce-sandbox`).
/// - Of `credentials`, by their `type`: `OAUTH2` suggests `oauth2`. `API_KEY` (as `api_key`), `BASIC`, `TBA` (with the names of
///   NetSuite), `TWO_STEP`, `JWT` and others that are typed in suggest `keybased`, and `OAUTH2_CC` (client id and secret)
///   `client_credentials`. Of `CUSTOM`, the user's tokens are taken.
/// - What else is in `credentials`, `connection_config`, `metadata` and `credentials.raw` is spare, in that order.
pub(in crate::input) fn nango(input: Input, mapping: &Mapping) -> Result<Row, BadRow> {
    Export::begin(&input, mapping, UNMASK)?.read(|export| {
        export.pass(PASSED);
        export
            .part(Part::Account, &["end_user.id", "endUser.id", "tags.end_user_id", "connection_id", "connectionId"])?;
        export
            .part(Part::AccountName, &["end_user.display_name", "endUser.displayName", "tags.end_user_display_name"])?;
        export.part(Part::UpdatedAt, &["updated_at"])?;
        slug(export)?;
        let auth_type = credentials(export);
        export.spare("connection_config", &[])?;
        export.spare("connectionConfig", &[])?;
        export.spare("metadata", &[])?;
        export.spare("credentials.raw", &[])?;
        auth_type
    })
}

fn slug(export: &mut Export<'_>) -> Result<(), BadRow> {
    let key = ["provider_config_key", "providerConfigKey"];
    let is_mapped = key.iter().any(|path| export.text(path).is_some_and(|key| export.mapping.slug(key).is_some()));
    if is_mapped { export.slug(&key) } else { export.slug(&["provider", "provider_config_key", "providerConfigKey"]) }
}

fn credentials(export: &mut Export<'_>) -> Result<&'static str, BadRow> {
    let Some(kind) = export.text("credentials.type") else {
        let aside = ": Nango's lists of connections leave them out, `GET /connections/{connectionId}` has them";
        return Err(BadRow::missing("credentials", aside));
    };
    match kind {
        "OAUTH2" | "MCP_OAUTH2" | "MCP_OAUTH2_GENERIC" => oauth2(export, "credentials"),
        "API_KEY" => {
            export.proper("credentials.apiKey", "api_key")?;
            export.proper("credentials.api_key", "api_key")?;
            export.spare("credentials", &MINTED)?;
            Ok("keybased")
        }
        "BASIC" => {
            export.proper("credentials.username", "username")?;
            export.proper("credentials.password", "password")?;
            export.spare("credentials", &MINTED)?;
            Ok("keybased")
        }
        "OAUTH2_CC" => {
            export.pass(MINTED_VALUES);
            export.proper("credentials.client_id", "client_id")?;
            export.proper("credentials.client_secret", "client_secret")?;
            typed(export)?;
            Ok("client_credentials")
        }
        "TBA" => {
            export.proper("credentials.config_override.client_id", "consumer_key")?;
            export.proper("credentials.config_override.client_secret", "consumer_secret")?;
            export.proper("credentials.token_id", "token_id")?;
            export.proper("credentials.token_secret", "token_secret")?;
            Ok("keybased")
        }
        "TWO_STEP" | "JWT" | "SIGNATURE" | "AWS_SIGV4" | "BILL" | "TABLEAU" => {
            export.pass(MINTED_VALUES);
            typed(export)?;
            Ok("keybased")
        }
        "CUSTOM" if export.has("credentials.user.access_token") => oauth2(export, "credentials.user"),
        "CUSTOM" if export.has("credentials.raw.user.access_token") => oauth2(export, "credentials.raw.user"),
        "APP" | "CUSTOM" | "APP_STORE" => app(export),
        "OAUTH1" => Err(unsupported("an OAuth 1.0a token", "its consumer key is not in the export")),
        "NONE" => Err(unsupported("a connection without credentials", "there is nothing to take over")),
        _ => {
            let taken = "OAUTH2, API_KEY, BASIC, OAUTH2_CC, TBA, TWO_STEP and JWT can";
            Err(unsupported("credentials of this type", taken))
        }
    }
}

fn oauth2(export: &mut Export<'_>, path: &str) -> Result<&'static str, BadRow> {
    let at = |name: &str| format!("{path}.{name}");
    export.proper(&at("access_token"), "access_token")?;
    export.proper(&at("refresh_token"), "refresh_token")?;
    export.expiry(&at("expires_at"));
    export.spare(&at("config_override"), &[])?;
    export.spare(path, &MINTED)?;
    if path != "credentials" {
        export.spare(&at("raw"), &[])?;
    }
    Ok("oauth2")
}

/// What the user entered.
fn typed(export: &mut Export<'_>) -> Result<(), BadRow> {
    for (path, name, value) in export.leaves("credentials", &MINTED) {
        if export.draft.path(&path).is_none() {
            export.proper_value(&path, &name, value)?;
        }
    }
    Ok(())
}

/// A token that was minted for an app is worth nothing an hour later; the key that mints it is.
fn app(export: &mut Export<'_>) -> Result<&'static str, BadRow> {
    let places = ["credentials", "connection_config"];
    let keys = ["private_key", "privateKey"];
    let found = places.iter().flat_map(|place| keys.map(|key| format!("{place}.{key}"))).find(|path| export.has(path));
    let Some(path) = found else {
        let instead = "import the app's id and private key as rows of Keyferry's own: Nango keeps the key with the \
                       integration, not with the connection";
        return Err(unsupported("a token minted for an app", instead));
    };
    export.pass(MINTED_VALUES);
    export.pass(&["credentials.access_token"]);
    export.proper(&path, "private_key")?;
    export.spare("credentials", &MINTED)?;
    Ok("app")
}
