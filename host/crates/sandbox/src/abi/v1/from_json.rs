//! A description in JSON, for tests that make one up without a component.

use serde::Deserialize;

use super::bindings::http::Method;
use super::bindings::wire;
use crate::description::AppDescription;

#[derive(Deserialize)]
#[serde(default, rename_all = "kebab-case")]
#[derive(Default)]
struct Description {
    slug: String,
    name: String,
    about: Option<String>,
    tags: Vec<String>,
    icon: Option<String>,
    docs: String,
    grants: Vec<Grant>,
    reads_secrets: bool,
    auth_types: Vec<AuthType>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Grant {
    host: String,
    methods: Vec<u8>,
    path_prefix: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AuthType {
    name: String,
    label: String,
    help: Option<String>,
    fields: Vec<Field>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Field {
    name: String,
    label: String,
    kind: u8,
    secret: bool,
    required: bool,
    default: Option<String>,
    options: Vec<(String, String)>,
    pattern: Option<String>,
    min_length: Option<u32>,
    max_length: Option<u32>,
    placeholder: Option<String>,
    help: Option<String>,
    example: Option<String>,
    hint: Option<String>,
    of_organisation: bool,
}

/// Parses a description from JSON; `None` if the bytes are not JSON of one. Enumerations are numbers, and every number is valid.
pub fn description_of_json(bytes: &[u8]) -> Option<Result<AppDescription, String>> {
    let made: Description = serde_json::from_slice(bytes).ok()?;
    let grants = made.grants.into_iter().map(|grant| wire::Grant {
        host: grant.host,
        methods: grant.methods.into_iter().map(method).collect(),
        path_prefix: grant.path_prefix,
    });
    let auth_types = made.auth_types.into_iter().map(|auth_type| wire::AuthType {
        name: auth_type.name,
        label: auth_type.label,
        help: auth_type.help,
        fields: auth_type.fields.into_iter().map(field).collect(),
    });
    Some(super::description::description(wire::Description {
        slug: made.slug,
        name: made.name,
        about: made.about,
        tags: made.tags,
        icon: made.icon,
        docs: made.docs,
        grants: grants.collect(),
        reads_secrets: made.reads_secrets,
        auth_types: auth_types.collect(),
    }))
}

fn method(number: u8) -> Method {
    match number % 6 {
        0 => Method::Get,
        1 => Method::Head,
        2 => Method::Post,
        3 => Method::Put,
        4 => Method::Patch,
        _ => Method::Delete,
    }
}

fn field(made: Field) -> wire::Field {
    wire::Field {
        name: made.name,
        label: made.label,
        kind: match made.kind % 6 {
            0 => wire::FieldKind::Text,
            1 => wire::FieldKind::Number,
            2 => wire::FieldKind::Boolean,
            3 => wire::FieldKind::Url,
            4 => wire::FieldKind::Select,
            _ => wire::FieldKind::Multiline,
        },
        secret: made.secret,
        required: made.required,
        default: made.default,
        options: made.options.into_iter().map(|(value, label)| wire::Choice { value, label }).collect(),
        pattern: made.pattern,
        min_length: made.min_length,
        max_length: made.max_length,
        placeholder: made.placeholder,
        help: made.help,
        example: made.example,
        hint: made.hint,
        supplier: if made.of_organisation { wire::Supplier::Organisation } else { wire::Supplier::Caller },
    }
}
