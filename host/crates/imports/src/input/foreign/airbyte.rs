//! Exports of Airbyte.

use super::export::Export;
use super::values::{at, snake};
use crate::input::mapping::Mapping;
use crate::input::part::Part;
use crate::input::row::{BadRow, Row};
use crate::input::text::text_of;
use keyferry_schema::Input;

/// What is done about masks.
const UNMASK: &str = "Airbyte's API never gives secrets out; fill them in from where Airbyte keeps them (its database, or the \
                      secret manager that it was given) before the import";
/// Where the configuration is: of the API, and of the one that Airbyte itself uses.
const CONFIGURATION: [&str; 2] = ["configuration", "connectionConfiguration"];
/// Members that name a connector's authentication method, or that are read separately.
const WAYS: [&str; 9] = [
    "auth_type",
    "auth_method",
    "auth_mode",
    "authentication_type",
    "credentials",
    "credentials_json",
    "credentials_title",
    "option_title",
    "type",
];
/// The same, and where credentials are kept.
const WAYS_AND_OWN: [&str; 10] = [
    "auth_type",
    "auth_method",
    "auth_mode",
    "authentication",
    "authentication_type",
    "credentials",
    "credentials_json",
    "credentials_title",
    "option_title",
    "type",
];
/// Where a connector keeps its credentials, if it keeps them apart.
const OWN: [&str; 2] = ["credentials", "authentication"];
/// What names of credentials have in them, where a connector has no `credentials` of their own.
const TELLING: [&str; 8] =
    ["token", "secret", "password", "api_key", "consumer_key", "client_id", "access_key", "private_key"];

/// Members of a row with names like those of secrets whose values are not secret.
const PASSED: &[&str] = &[
    "sourceId",
    "sourceDefinitionId",
    "destinationId",
    "destinationDefinitionId",
    "workspaceId",
    "definitionId",
    "icon",
    "configuration.credentials_title",
    "configuration.credentials.credentials",
    "configuration.credentials.credentials_title",
    "connectionConfiguration.credentials_title",
    "connectionConfiguration.credentials.credentials",
    "connectionConfiguration.credentials.credentials_title",
];

/// A source as Airbyte's API gives it, alone or among the `data` of a list
/// (<https://reference.airbyte.com/reference/getsource>), or among the `sources` of the API that Airbyte itself uses. Secrets
/// are masked in both (<https://docs.airbyte.com/understanding-airbyte/secrets>) and have to be filled in.
///
/// - The account is `workspaceId`: one workspace a customer is how Airbyte is embedded.
/// - The app is looked up in the mapping by `sourceType` (`sourceName`), which it is otherwise (`source-zendesk-support`).
/// - The members of `configuration.credentials` become `oauth2` where there is a refresh token among them or their title
///   says so, and `keybased` otherwise, under the connector's names. Of a connector without `credentials` it is what is called a
///   token, key, secret or password. Names differ from app to app; a mapping translates them: `netsuite/token_key=token_id`,
///   `netsuite/realm=account_id`.
/// - What else is in the configuration is spare.
pub(in crate::input) fn airbyte(input: Input, mapping: &Mapping) -> Result<Row, BadRow> {
    Export::begin(&input, mapping, UNMASK)?.read(|export| {
        export.pass(PASSED);
        export.part(Part::Account, &["workspaceId", "workspace_id"])?;
        export.slug(&["sourceType", "sourceName", "source_type", "destinationType", "destinationName"])?;
        credentials(export)
    })
}

fn credentials(export: &mut Export<'_>) -> Result<&'static str, BadRow> {
    let is_there = |path: &&&str| export.input.member(path).and_then(Input::members).is_some();
    let Some(configuration) = CONFIGURATION.iter().find(is_there) else {
        return Err(BadRow::missing("configuration", ", which holds the credential"));
    };
    let own = OWN.iter().map(|name| format!("{configuration}.{name}"));
    let own = own.into_iter().find(|path| at(export.input, path).and_then(Input::members).is_some());
    let own = own.unwrap_or_else(|| format!("{configuration}.credentials"));
    let file = format!("{configuration}.credentials_json");
    if let Some(value) = at(export.input, &file)
        && export.service_account(&file, value)?
    {
        export.spare(configuration, &WAYS)?;
        return Ok("keybased");
    }
    let own_members = at(export.input, &own).and_then(Input::members);
    let (path, members) = match own_members {
        Some(members) => (own.as_str(), members),
        None => (*configuration, export.input.member(configuration).and_then(Input::members).unwrap_or_default()),
    };
    let is_proper = |name: &str| {
        !WAYS.contains(&name) && (own_members.is_some() || TELLING.iter().any(|telling| snake(name).contains(telling)))
    };
    let mut says_oauth = false;
    for (name, value) in members {
        let is_title = WAYS.contains(&name.as_str());
        let title = text_of(value).filter(|_| is_title).unwrap_or_default().to_ascii_lowercase();
        says_oauth |= title.contains("oauth") || name == "refresh_token";
        if is_proper(name) {
            export.proper(&format!("{path}.{name}"), &snake(name))?;
        }
    }
    export.spare(&own, &WAYS)?;
    export.spare(configuration, &WAYS_AND_OWN)?;
    Ok(if says_oauth { "oauth2" } else { "keybased" })
}
