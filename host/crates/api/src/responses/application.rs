//! Apps, and what their credentials consist of.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::responses::account::LastCheck;
use keyferry_sandbox::{App, Digest};
use keyferry_schema::{AuthType, Field, FieldKind, Necessity, Secrecy, Supplier};
use keyferry_store::{IntegrationRecord, Reauth};

/// The auth type whose values come out of a connect flow, not out of a form.
const OAUTH2: &str = "oauth2";
/// The members of a token response (RFC 6749, section 5.1), and the time that `expires_in` implies.
const TOKEN_ANSWER: [&str; 6] = ["access_token", "refresh_token", "token_type", "expires_in", "expires_at", "scope"];

/// An app that credentials can be migrated to, as its plugin describes it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Application {
    /// Its id: the same at any time and on any server.
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    /// A name for people.
    #[schema(example = "HubSpot")]
    name: String,
    /// An `https:` or `data:` URL.
    #[schema(required = true)]
    icon: Option<String>,
    /// What it is for, in a sentence.
    #[schema(required = true)]
    description: Option<String>,
    /// The first of its auth types.
    #[schema(required = true, example = "oauth2")]
    auth_type: Option<String>,
    /// The slug, as `slug`.
    r#type: String,
    /// The kind of app.
    kind: ApplicationKind,
    #[schema(schema_with = crate::responses::always_null, required = true)]
    app_id: Option<()>,
    /// What a list of apps can be narrowed by.
    tags: Vec<String>,
    /// Whether it is on offer to end users: always, since whatever serves, is.
    ecosystem: bool,
    /// What names it in requests.
    #[schema(example = "hubspot")]
    slug: String,
    /// What to ask a person for, for each auth type. For `oauth2` that is what is needed before the connect flow.
    auth_type_options: BTreeMap<String, Vec<InputField>>,
    /// What to ask a person for where no connect flow is used.
    auth_input_map: Vec<InputField>,
    /// The accounts at the provider that the linked account is connected to.
    connected_accounts: Vec<ConnectedAccount>,
    /// Whether the user has to connect again.
    reauth_required: bool,
    /// Whether the linked account is connected to it; absent where the request names no linked account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    connected: Option<bool>,
}

/// The kind of an app: one of the service's own.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ApplicationKind {
    Native,
}

/// One field of a form.
#[derive(Serialize, ToSchema)]
struct InputField {
    /// Its name in `auth_object`.
    name: String,
    /// A name for people.
    label: String,
    /// What to show in the empty field.
    placeholder: String,
    /// Whether a credential without it is refused.
    required: bool,
    /// How to ask for it.
    r#type: InputType,
    /// What can be chosen, for a `select`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    options: Option<Vec<String>>,
    /// A hint where to find the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    help_text: Option<String>,
}

/// How to ask for a field. A `password` is a secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum InputType {
    Text,
    Number,
    Boolean,
    Select,
    Password,
}

/// An account at a provider that a linked account is connected to.
#[derive(Serialize, ToSchema)]
struct ConnectedAccount {
    /// The provider account's id; `NA` if the provider does not state it.
    identifier: String,
    /// The time of the connection.
    #[serde(rename = "connectedAt")]
    #[schema(format = DateTime)]
    connected_at: String,
    /// `expired` where the user has to connect again.
    status: ConnectionStatus,
    /// How the credential authenticates.
    auth_type: String,
    /// Always false: every credential is the linked account's own.
    #[serde(rename = "defaultCredentials")]
    default_credentials: bool,
    /// The last verification since the credential was stored; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_check: Option<LastCheck>,
}

/// The status of a connection.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ConnectionStatus {
    Active,
    Expired,
}

impl ConnectionStatus {
    pub(super) fn from_reauth(reauth: Reauth) -> Self {
        match reauth {
            Reauth::Required => Self::Expired,
            Reauth::NotRequired => Self::Active,
        }
    }
}

/// What the credentials of an app consist of: the auth types by name, each with its fields by name. Empty for an app of the
/// organisation's own.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuthStructure(pub(crate) BTreeMap<String, BTreeMap<String, FieldShape>>);

/// A field of a credential: the word `string` where it is required, an object where it is not.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum FieldShape {
    /// The form of a required field.
    Required(RequiredField),
    /// The form of an optional field.
    Optional(OptionalField),
}

/// A field that a credential must have.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RequiredField {
    /// Always `string`.
    String,
}

/// A field that a credential can do without.
#[derive(Serialize, ToSchema)]
pub(crate) struct OptionalField {
    /// Always `string`.
    r#type: RequiredField,
    /// Always false.
    required: bool,
}

impl Application {
    /// An app, for the linked account with these integrations, if one is named.
    pub(crate) fn new(app: &App, integrations: Option<&[IntegrationRecord]>) -> Self {
        let app = &app.description;
        let slug = app.slug.as_str();
        let integration = integrations.map(|all| all.iter().find(|integration| integration.slug == app.slug));
        let types = app.schema.types();
        let form = types.iter().find(|one| one.name.as_str() != OAUTH2);
        Self {
            id: application_id(slug),
            name: app.name.clone(),
            icon: app.icon.clone(),
            description: app.about.clone(),
            auth_type: types.first().map(|one| one.name.to_string()),
            r#type: slug.to_owned(),
            kind: ApplicationKind::Native,
            app_id: None,
            tags: app.tags.clone(),
            ecosystem: true,
            slug: slug.to_owned(),
            auth_type_options: types.iter().map(|one| (one.name.to_string(), inputs(one))).collect(),
            auth_input_map: form.map(inputs).unwrap_or_default(),
            connected_accounts: integration.flatten().map(ConnectedAccount::new).into_iter().collect(),
            reauth_required: integration.flatten().is_some_and(|one| one.reauth == Reauth::Required),
            // Without a linked account there is no connection.
            connected: integration.map(|found| found.is_some()),
        }
    }
}

impl ConnectedAccount {
    fn new(integration: &IntegrationRecord) -> Self {
        Self {
            identifier: integration.provider_account_id.clone().unwrap_or_else(|| "NA".to_owned()),
            connected_at: integration.created_at.to_string(),
            status: ConnectionStatus::from_reauth(integration.reauth),
            auth_type: integration.auth_type.to_string(),
            default_credentials: false,
            last_check: integration.check.as_ref().map(LastCheck::new),
        }
    }
}

impl FieldShape {
    /// The field in the documented form.
    pub(crate) fn new(field: &Field) -> Self {
        match field.necessity {
            Necessity::Required => Self::Required(RequiredField::String),
            Necessity::Optional => Self::Optional(OptionalField { r#type: RequiredField::String, required: false }),
        }
    }
}

/// 24 hex digits, as the product's ids: the same for an app at any time and on any server.
fn application_id(slug: &str) -> String {
    Digest::of(format!("keyferry application {slug}").as_bytes()).to_string().chars().take(24).collect()
}

/// What a form asks a person for. For OAuth that is what is needed beforehand (a shop, an instance), not the tokens.
fn inputs(auth_type: &AuthType) -> Vec<InputField> {
    let is_oauth = auth_type.name.as_str() == OAUTH2;
    let is_asked_for = |field: &&Field| {
        let name = field.name.as_str();
        // A second token that the flow gives ends at a time of its own: `user_expires_at`.
        let is_told = TOKEN_ANSWER.contains(&name) || name.ends_with("_expires_at");
        let comes_later = is_oauth && (is_told || field.secrecy == Secrecy::Secret);
        field.spec.supplier == Supplier::Caller && !comes_later
    };
    auth_type.fields.iter().filter(is_asked_for).map(InputField::new).collect()
}

impl InputField {
    /// The field in the documented product's form.
    fn new(field: &Field) -> Self {
        let spec = &field.spec;
        let kind = match (field.secrecy, spec.kind) {
            (Secrecy::Secret, _) => InputType::Password,
            (_, FieldKind::Number) => InputType::Number,
            (_, FieldKind::Boolean) => InputType::Boolean,
            (_, FieldKind::Select) => InputType::Select,
            (_, FieldKind::Text | FieldKind::Url | FieldKind::Multiline) => InputType::Text,
        };
        let values = || spec.options.iter().map(|option| option.value.clone()).collect();
        Self {
            name: field.name.to_string(),
            label: spec.label.clone(),
            placeholder: spec.placeholder.clone().or_else(|| spec.example.clone()).unwrap_or_default(),
            required: field.necessity == Necessity::Required,
            r#type: kind,
            options: (spec.kind == FieldKind::Select).then(values),
            help_text: spec.help.clone(),
        }
    }
}
