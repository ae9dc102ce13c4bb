use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use keyferry_egress::{Grant, GrantConcern};
use keyferry_sandbox::{ComponentInterface, Digest, FieldRead, LoadedPlugin, OpenError, SecretAccess, Wasi, Workbench};
use keyferry_schema::{Field, FieldKind, Necessity, Secrecy, Supplier};
use keyferry_types::path_text;

/// The content of a plugin file.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// The file, or the folder that it was built from.
    #[serde(serialize_with = "path_text::serialize")]
    pub file: PathBuf,
    /// Slug of the app.
    pub slug: String,
    /// Name of the app, as the plugin describes it.
    pub name: String,
    /// Purpose of the app, in one sentence.
    pub about: Option<String>,
    /// Tags by which lists of apps can be filtered.
    pub tags: Vec<String>,
    /// URL of the vendor's page on how to get a credential.
    pub docs: String,
    /// The version of the contract that it was built for.
    pub contract: String,
    /// The component's SHA-256: what grants are bound to.
    pub sha256: Digest,
    /// Size of the file in bytes.
    pub bytes: usize,
    /// Names of the interfaces that it imports.
    pub imports: Vec<String>,
    /// Whether it needs the grant `wasi = "sealed"`.
    pub needs_wasi: bool,
    /// Requests that the plugin asks for.
    pub requests: Vec<Grant>,
    /// Requests that it asks for to renew tokens.
    pub renewal_requests: Vec<Grant>,
    /// Whether it asks for secrets as plain text.
    pub secrets: SecretAccess,
    /// Units of fuel that describing took.
    pub describe_fuel: u64,
    /// Bytes of memory that describing took.
    pub describe_memory_bytes: usize,
    /// What it reads of a credential: fields as text, and the beginning or end of secrets.
    pub reads: Vec<FieldRead>,
    /// Those of the requests that an operator should look at twice, and why.
    pub concerns: Vec<GrantConcern>,
    /// The ways to authenticate.
    pub auth_types: Vec<InspectedAuthType>,
}

/// One way to authenticate.
#[derive(Debug, Serialize)]
pub struct InspectedAuthType {
    /// The key in `auth_object`.
    pub name: String,
    /// Name of the auth type that a form shows.
    pub label: String,
    /// When to use it.
    pub help: Option<String>,
    /// Fields of the auth type.
    pub fields: Vec<InspectedField>,
    /// Its JSON Schema (draft 2020-12).
    pub json_schema: Value,
}

/// One field of an auth type.
#[derive(Debug, Serialize)]
pub struct InspectedField {
    /// The key in the credential.
    pub name: String,
    /// Name of the field that a form shows.
    pub label: String,
    /// `text`, `number`, `boolean`, `url`, `select`, `multiline`.
    pub kind: &'static str,
    /// Whether the plugin gets a handle instead of the value.
    pub secret: bool,
    /// Whether a credential without it is refused.
    pub required: bool,
    /// Who supplies it: `caller` or `organisation`.
    pub supplier: &'static str,
    /// What its value must be like, in words.
    pub rules: Vec<String>,
    /// Where to find it.
    pub help: Option<String>,
}

/// Reads the content of a plugin file.
///
/// # Errors
/// If it is no plugin.
pub async fn inspect(workbench: &Workbench, file: PathBuf, component: Vec<u8>) -> Result<Inspection, OpenError> {
    let interface = ComponentInterface::read(&component)?;
    let LoadedPlugin { digest, bytes, description, wasi, described, .. } = workbench.open(component).await?;
    let auth_types = description.schema.types().iter().map(|auth_type| InspectedAuthType {
        name: auth_type.name.to_string(),
        label: auth_type.label.clone(),
        help: auth_type.help.clone(),
        fields: auth_type.fields.iter().map(field).collect(),
        json_schema: auth_type.json_schema(),
    });
    Ok(Inspection {
        file,
        slug: description.slug.to_string(),
        name: description.name.clone(),
        about: description.about.clone(),
        tags: description.tags.clone(),
        docs: description.docs.clone(),
        contract: interface.contract().unwrap_or_default().to_owned(),
        sha256: digest,
        bytes,
        imports: interface.imports,
        needs_wasi: wasi == Wasi::Needed,
        requests: description.requested.clone(),
        renewal_requests: description.renewal_requests(),
        secrets: description.secret_access,
        describe_fuel: described.fuel,
        describe_memory_bytes: described.memory_bytes,
        reads: description.field_reads(),
        concerns: GrantConcern::of(&description.requested),
        auth_types: auth_types.collect(),
    })
}

fn field(field: &Field) -> InspectedField {
    let spec = &field.spec;
    let options: Vec<_> = spec.options.iter().map(|option| option.value.as_str()).collect();
    let rules = [
        spec.pattern.as_ref().map(|pattern| format!("matches {pattern}")),
        spec.min_length.map(|min| format!("at least {min} characters")),
        spec.max_length.map(|max| format!("at most {max} characters")),
        (!options.is_empty()).then(|| format!("one of {}", options.join(", "))),
        spec.default.as_ref().map(|default| format!("{default} unless given")),
        spec.hint.as_ref().map(|hint| format!("the plugin sees what {hint} matches")),
    ];
    InspectedField {
        name: field.name.to_string(),
        label: spec.label.clone(),
        kind: match spec.kind {
            FieldKind::Text => "text",
            FieldKind::Number => "number",
            FieldKind::Boolean => "boolean",
            FieldKind::Url => "url",
            FieldKind::Select => "select",
            FieldKind::Multiline => "multiline",
        },
        secret: field.secrecy == Secrecy::Secret,
        required: field.necessity == Necessity::Required,
        supplier: match spec.supplier {
            Supplier::Caller => "caller",
            Supplier::Organisation => "organisation",
        },
        rules: rules.into_iter().flatten().collect(),
        help: spec.help.clone(),
    }
}
