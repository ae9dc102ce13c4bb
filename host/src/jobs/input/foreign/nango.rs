//! Nango.

use super::super::mapping::{Mapping, Part};
use super::super::row::{BadRow, Row};
use super::{Export, unsupported};
use crate::schema::Input;

/// What is done about masks.
const UNMASK: &str = "export with an API key that has the scope `environment:connections:read_credentials`";
/// Members of the credentials of two-step apps that are no part of what somebody typed in.
const MINTED: [&str; 4] = ["type", "token", "expires_at", "raw"];

/// A connection as Nango's API gives it, with its credentials: the answer of `GET /connections/{connectionId}`
/// (<https://nango.dev/docs/reference/backend/http-api/connection/get> for the same under its older name; the types of credentials
/// are in <https://github.com/NangoHQ/nango/blob/master/packages/types/lib/auth/api.ts>). Lists of connections have no credentials
/// in them.
///
/// - The account is `end_user.id`, or the tag `end_user_id`, or `connection_id`.
/// - The app is looked up in the mapping by `provider_config_key`, then by `provider`; otherwise it is the provider, without an
///   end that only names the way to authenticate (`netsuite-tba`).
/// - Of `credentials`, by their `type`: `OAUTH2` becomes `oauth2`. `API_KEY` (as `api_key`), `BASIC`, `OAUTH2_CC` (client id and
///   secret), `TBA` (with the names of NetSuite) and `TWO_STEP` become `keybased`.
/// - `connection_config` is spare.
pub(in super::super) fn nango(input: Input, mapping: &Mapping) -> Result<Row, BadRow> {
    Export::begin(&input, mapping, UNMASK)?.read(|export| {
        export.part(Part::Account, &["end_user.id", "tags.end_user_id", "connection_id", "connectionId"])?;
        export.part(Part::AccountName, &["end_user.display_name", "tags.end_user_display_name"])?;
        export.part(Part::UpdatedAt, &["updated_at"])?;
        slug(export)?;
        credentials(export)
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
    let auth_type = match kind {
        "OAUTH2" => {
            export.proper("credentials.access_token", "access_token")?;
            export.proper("credentials.refresh_token", "refresh_token")?;
            export.expiry("credentials.expires_at");
            export.spare("credentials.config_override", &[]);
            "oauth2"
        }
        "API_KEY" => {
            export.proper("credentials.apiKey", "api_key")?;
            export.proper("credentials.api_key", "api_key")?;
            "keybased"
        }
        "BASIC" => {
            export.proper("credentials.username", "username")?;
            export.proper("credentials.password", "password")?;
            "keybased"
        }
        "OAUTH2_CC" => {
            export.proper("credentials.client_id", "client_id")?;
            export.proper("credentials.client_secret", "client_secret")?;
            "keybased"
        }
        "TBA" => {
            export.proper("credentials.config_override.client_id", "consumer_key")?;
            export.proper("credentials.config_override.client_secret", "consumer_secret")?;
            export.proper("credentials.token_id", "token_id")?;
            export.proper("credentials.token_secret", "token_secret")?;
            "keybased"
        }
        "TWO_STEP" => {
            let typed = export.input.member("credentials").and_then(Input::members).unwrap_or_default();
            for (name, _) in typed.iter().filter(|(name, _)| !MINTED.contains(&name.as_str())) {
                export.proper(&format!("credentials.{name}"), &super::snake(name))?;
            }
            "keybased"
        }
        "OAUTH1" => return Err(unsupported("an OAuth 1.0a token", "its consumer key is not in the export")),
        "APP" | "APP_STORE" | "CUSTOM" => {
            return Err(unsupported(
                "a token minted for an app",
                "import the app's id and private key as rows of Keyferry's own",
            ));
        }
        "NONE" => return Err(unsupported("a connection without credentials", "there is nothing to take over")),
        _ => {
            let taken = "OAUTH2, API_KEY, BASIC, OAUTH2_CC, TBA and TWO_STEP can";
            return Err(unsupported("credentials of this type", taken));
        }
    };
    export.spare("connection_config", &[]);
    Ok(auth_type)
}
