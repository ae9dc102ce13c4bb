//! Exports of Composio.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::export::{Export, unsupported};
use super::values::{at, is_masked};
use crate::input::mapping::Mapping;
use crate::input::part::Part;
use crate::input::row::{BadRow, Row};
use crate::input::text::text;
use keyferry_schema::Input;

/// What is done about masks.
const UNMASK: &str = "switch off “Mask Connected Account Secrets” in the project's settings, and export again; the tokens of \
                      connections over Composio's own OAuth apps are never given out";
/// Where the values are: of today's API, and of those before.
const VALUES: [&str; 4] = ["state.val", "data", "connectionParams", "params"];
/// What is among the values and no use elsewhere.
const NO_USE: [&str; 25] = [
    "signature",
    "basic_encoded",
    "status",
    "token_type",
    "id_token",
    "scope",
    "expires_in",
    "expires_at",
    "expired_at",
    "error",
    "error_description",
    "code_verifier",
    "redirectUrl",
    "redirect_url",
    "finalRedirectUri",
    "authUri",
    "callback_url",
    "callbackUrl",
    "state_prefix",
    "long_redirect_url",
    "composio_link_redirect_url",
    "client_id_issued_at",
    "client_secret_expires_at",
    "oauth_verifier",
    "headers",
];
/// Members of a row with names like those of secrets whose values are not secret.
const PASSED: &[&str] = &[
    "uuid",
    "id",
    "nanoid",
    "auth_config",
    "authConfig",
    "toolkit",
    "test_request_endpoint",
    "state.val.signature",
    "data.signature",
    "connectionParams.signature",
    "params.signature",
];
/// Where a token is that was got by the id and the secret of an app.
const MINTED: [&str; 4] =
    ["state.val.access_token", "data.access_token", "connectionParams.access_token", "params.access_token"];
/// Names of one key of several schemes, the best one first.
const KEYS: [&str; 4] = ["api_key", "generic_api_key", "bearer_token", "token"];
const TOKENS: [&str; 5] = ["token", "bearer_token", "access_token", "api_key", "generic_api_key"];
/// Base64 in either alphabet's padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A connected account as Composio's API gives it, alone or among the `items` of a list
/// (<https://docs.composio.dev/reference/v3/api-reference/connected-accounts/getConnectedAccountsByNanoid>; what is masked and
/// when: <https://docs.composio.dev/docs/changelog/2026/04/22>).
///
/// - The account is `user_id`; of older APIs `clientUniqueUserId` or `entityId`.
/// - The app is looked up in the mapping by `toolkit.slug` (`appUniqueId` or `appName` of older APIs), which it is otherwise.
/// - Of `state.val`, by `state.authScheme`: `OAUTH2` and `DCR_OAUTH` suggest `oauth2`, `S2S_OAUTH2` `client_credentials`,
///   `SERVICE_ACCOUNT` `app`. `API_KEY` (as `api_key`, be it `api_key`, `generic_api_key` or `bearer_token`), `BEARER_TOKEN` (as
///   `access_token`), `BASIC` and `GOOGLE_SERVICE_ACCOUNT` suggest `keybased`, and so does `OAUTH1` with its consumer's secret.
///   `basic_encoded` is `username` and `password`.
/// - What else is in `state.val` (`subdomain`, `shop`, `region`) is the credential where its name is that of a secret, and spare
///   otherwise.
pub(in crate::input) fn composio(input: Input, mapping: &Mapping) -> Result<Row, BadRow> {
    Export::begin(&input, mapping, UNMASK)?.read(|export| {
        export.pass(PASSED);
        export.part(Part::Account, &["user_id", "userId", "clientUniqueUserId", "entityId"])?;
        export.part(Part::UpdatedAt, &["updated_at", "updatedAt"])?;
        export.slug(&["toolkit.slug", "toolkitSlug", "appUniqueId", "appName"])?;
        credentials(export)
    })
}

fn credentials(export: &mut Export<'_>) -> Result<&'static str, BadRow> {
    let is_filled = |path: &&&str| at(export.input, path).and_then(Input::members).is_some_and(|m| !m.is_empty());
    let Some(values) = VALUES.iter().find(is_filled) else {
        return Err(BadRow::missing("state.val", ", which holds the credential"));
    };
    let schemes =
        ["state.authScheme", "state.auth_scheme", "auth_config.auth_scheme", "authConfig.authScheme", "authScheme"];
    let scheme = schemes.iter().find_map(|path| export.text(path)).filter(|scheme| !scheme.is_empty());
    let at = |name: &str| format!("{values}.{name}");
    let scheme = match scheme {
        Some(scheme) => scheme.to_ascii_uppercase(),
        None if export.has(&at("access_token")) => "OAUTH2".to_owned(),
        None => return Err(BadRow::missing("state.authScheme", ", which says what the credential is")),
    };
    let auth_type = match scheme.as_str() {
        "OAUTH2" | "DCR_OAUTH" => {
            export.proper(&at("access_token"), "access_token")?;
            export.proper(&at("refresh_token"), "refresh_token")?;
            export.expiry(&at("expires_at"));
            "oauth2"
        }
        "S2S_OAUTH2" => {
            export.proper(&at("client_id"), "client_id")?;
            export.proper(&at("client_secret"), "client_secret")?;
            // It is got by these, and ends.
            export.pass(&MINTED);
            "client_credentials"
        }
        "API_KEY" => {
            first(export, values, &KEYS, "api_key")?;
            "keybased"
        }
        "BEARER_TOKEN" => {
            first(export, values, &TOKENS, "access_token")?;
            "keybased"
        }
        "BASIC" | "BASIC_WITH_JWT" => {
            export.proper(&at("username"), "username")?;
            export.proper(&at("password"), "password")?;
            "keybased"
        }
        "OAUTH1" if export.has(&at("consumer_secret")) => {
            export.proper(&at("consumer_key"), "consumer_key")?;
            export.proper(&at("consumer_secret"), "consumer_secret")?;
            export.proper(&at("oauth_token"), "token_id")?;
            export.proper(&at("oauth_token_secret"), "token_secret")?;
            "keybased"
        }
        "SERVICE_ACCOUNT" => {
            export.proper(&at("private_key"), "private_key")?;
            if export.has(&at("installation_id")) { "app" } else { "keybased" }
        }
        "GOOGLE_SERVICE_ACCOUNT" => {
            export.proper(&at("credentials_json"), "credentials_json")?;
            if export.draft.path(&at("credentials_json")).is_some() {
                return Err(BadRow::value("credentials_json", "must hold the key file of a service account"));
            }
            "keybased"
        }
        "NO_AUTH" => return Err(unsupported("a connection without credentials", "there is nothing to take over")),
        _ => {
            let taken = "OAUTH2, DCR_OAUTH, S2S_OAUTH2, API_KEY, BEARER_TOKEN, BASIC, SERVICE_ACCOUNT and \
                         GOOGLE_SERVICE_ACCOUNT can";
            return Err(unsupported("credentials of this scheme", taken));
        }
    };
    basic_encoded(export, &at("basic_encoded"))?;
    export.told_by_names(values, &NO_USE)?;
    Ok(auth_type)
}

/// The first of these that is there, under that name.
fn first(export: &mut Export<'_>, values: &str, names: &[&str], name: &str) -> Result<(), BadRow> {
    let path = names.iter().map(|name| format!("{values}.{name}")).find(|path| export.has(path));
    path.map_or(Ok(()), |path| export.proper(&path, name))
}

/// A user and a password, as the header of HTTP's basic authentication has them.
fn basic_encoded(export: &mut Export<'_>, path: &str) -> Result<(), BadRow> {
    let Some(written) = export.text(path).filter(|written| !written.is_empty()) else { return Ok(()) };
    let value = at(export.input, path).unwrap_or(&Input::Null);
    if is_masked(value) {
        return export.proper(path, "basic_encoded");
    }
    let code = written.strip_prefix("Basic ").unwrap_or(written).trim();
    let decoded = BASE64.decode(code).map(Zeroizing::new).ok();
    let decoded = decoded.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    // Some write both down as they are.
    let Some((user, password)) = decoded.unwrap_or(written).split_once(':') else {
        return Err(BadRow::value("basic_encoded", "must be the base64 of a user name, a colon and a password"));
    };
    export.proper_value(&format!("{path}.username"), "username", &text(user))?;
    export.proper_value(&format!("{path}.password"), "password", &text(password))
}
