//! Exports of Pipedream.

use super::export::Export;
use crate::input::mapping::Mapping;
use crate::input::part::Part;
use crate::input::row::{BadRow, Row};
use keyferry_schema::Input;

/// What is done about masks.
const UNMASK: &str = "export with `include_credentials=true`; the tokens of accounts over Pipedream's own OAuth clients are never \
                      given out";
/// Members of `credentials` that are no credential.
const NO_USE: [&str; 4] = ["oauth_uid", "oauth_signer_uri", "token_type", "scope"];
/// Members of a row with names like those of secrets whose values are not secret.
const PASSED: &[&str] = &["id", "external_id", "external_user_id", "app", "authorized_scopes", "error"];

/// An account as Pipedream's Connect API gives it, alone or among the `data` of a list
/// (<https://pipedream.com/docs/connect/api-reference/list-accounts>), with `include_credentials=true`.
///
/// - The account is `external_id`, the id that the user has at the developer's. The name of it is not taken: `name` is that of the
///   account at the app.
/// - The app is looked up in the mapping by `app.name_slug`, which it is otherwise (`salesforce_rest_api`, `slack_v2`).
/// - `credentials` with `oauth_access_token` suggest `oauth2`, with `oauth_refresh_token` and `expires_at`; any others suggest
///   `keybased`. What has the name of a secret is the credential; what else is in there is spare.
pub(in crate::input) fn pipedream(input: Input, mapping: &Mapping) -> Result<Row, BadRow> {
    Export::begin(&input, mapping, UNMASK)?.read(|export| {
        export.pass(PASSED);
        export.part(Part::Account, &["external_id", "external_user_id", "externalId", "externalUserId"])?;
        export.part(Part::UpdatedAt, &["updated_at", "updatedAt"])?;
        export.slug(&["app.name_slug", "app.nameSlug", "app.name", "app"])?;
        credentials(export)
    })
}

fn credentials(export: &mut Export<'_>) -> Result<&'static str, BadRow> {
    if export.input.member("credentials").and_then(Input::members).is_none_or(<[_]>::is_empty) {
        let aside = ": export with `include_credentials=true`; accounts over Pipedream's own OAuth clients have none";
        return Err(BadRow::missing("credentials", aside));
    }
    let is_oauth2 = export.has("credentials.oauth_access_token");
    // Slack's token of a user, beside that of a bot.
    let is_of_user = export.text("credentials.oauth_access_token").is_some_and(|token| token.starts_with("xoxp-"));
    if is_of_user && export.has("credentials.bot_token") {
        export.proper("credentials.bot_token", "access_token")?;
        export.proper("credentials.oauth_access_token", "user_token")?;
        export.proper("credentials.oauth_refresh_token", "user_refresh_token")?;
    } else {
        export.proper("credentials.oauth_access_token", "access_token")?;
        export.proper("credentials.oauth_refresh_token", "refresh_token")?;
    }
    if is_oauth2 {
        export.expiry("expires_at");
        export.proper("credentials.oauth_client_id", "client_id")?;
        export.proper("credentials.oauth_client_secret", "client_secret")?;
    }
    export.told_by_names("credentials", &NO_USE)?;
    Ok(if is_oauth2 { "oauth2" } else { "keybased" })
}
