//! Parses the description that a plugin returns.

use super::bindings::{MAX_SENTENCE, method, wire};
use crate::description::{AppDescription, SecretAccess};
use keyferry_egress as egress;
use keyferry_schema::{
    AuthSchema, AuthTypeSpec, Choice, Field, FieldKind, FieldSpec, Lines, Secrecy, Supplier, is_fit,
};

const MAX_GRANTS: usize = 64;
const MAX_TAGS: usize = 16;
/// Characters of a tag.
const MAX_TAG: usize = 32;

/// A plugin's description, parsed.
///
/// # Errors
/// The first part that is not valid, for the plugin's author.
pub(crate) fn description(wire: wire::Description) -> Result<AppDescription, String> {
    let slug = wire.slug.parse().map_err(|error| format!("slug: {error}"))?;
    if wire.name.is_empty() || wire.name.len() > 200 {
        return Err("name: it must have 1 to 200 bytes".to_owned());
    }
    if wire.about.as_ref().is_some_and(|about| about.is_empty() || about.chars().count() > MAX_SENTENCE) {
        return Err(format!("about: it must have 1 to {MAX_SENTENCE} characters"));
    }
    if wire.tags.len() > MAX_TAGS || !wire.tags.iter().all(|tag| is_tag(tag)) {
        return Err(format!(
            "tags: there can be {MAX_TAGS} of 1 to {MAX_TAG} lower-case letters, digits and `-`, such as `crm`"
        ));
    }
    if !wire.docs.starts_with("https://") || wire.docs.len() > 2000 {
        return Err("docs: it must be an https URL".to_owned());
    }
    if wire.icon.as_ref().is_some_and(|icon| {
        icon.len() > 64 * 1024 || !(icon.starts_with("https://") || icon.starts_with("data:image/"))
    }) {
        return Err("icon: it must be an https or data:image URL of at most 64 KiB".to_owned());
    }
    let texts = [("name", Some(&wire.name)), ("about", wire.about.as_ref()), ("docs", Some(&wire.docs))];
    for (what, text) in texts.into_iter().chain([("icon", wire.icon.as_ref())]) {
        if text.is_some_and(|text| !is_fit(text, Lines::One)) {
            return Err(format!("{what}: it has control characters or such that turn text around"));
        }
    }
    if wire.grants.len() > MAX_GRANTS {
        return Err(format!("grants: {} are asked for, and at most {MAX_GRANTS} can be", wire.grants.len()));
    }
    let requested = wire.grants.into_iter().map(grant).collect::<Result<Vec<_>, _>>()?;
    let schema = AuthSchema::parse(wire.auth_types.into_iter().map(auth_type).collect()).map_err(|e| e.to_string())?;
    for name in requested.iter().filter_map(|grant| grant.host.field()) {
        let is_url = |field: &Field| {
            field.name.as_str() == name && field.spec.kind == FieldKind::Url && field.secrecy == Secrecy::Plain
        };
        if !schema.types().iter().any(|auth_type| auth_type.fields.iter().any(is_url)) {
            return Err(format!(
                "grant for `{{{name}}}`: no auth type has a field `{name}` of kind url that is not secret"
            ));
        }
    }
    let secret_access = if wire.reads_secrets { SecretAccess::PlainText } else { SecretAccess::Handles };
    let wire::Description { name, about, tags, icon, docs, .. } = wire;
    Ok(AppDescription { slug, name, about, tags, icon, docs, requested, secret_access, schema, renewables: Vec::new() })
}

fn is_tag(text: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_TAG).contains(&text.len()) && text.bytes().all(is_char)
}

pub(super) fn grant(wire: wire::Grant) -> Result<egress::Grant, String> {
    let host: String = wire.host.chars().take(120).collect();
    let place = |what: &str, error: String| format!("grant for `{host}`: {what}: {error}");
    let methods: std::collections::BTreeSet<_> = wire.methods.iter().copied().map(method).collect();
    if methods.is_empty() {
        return Err(place("methods", "at least one is needed".to_owned()));
    }
    Ok(egress::Grant {
        host: wire.host.parse().map_err(|error: egress::InvalidHostPattern| place("host", error.to_string()))?,
        methods,
        path_prefix: wire
            .path_prefix
            .parse()
            .map_err(|error: egress::InvalidPathPrefix| place("path prefix", error.to_string()))?,
    })
}

fn auth_type(wire: wire::AuthType) -> AuthTypeSpec {
    AuthTypeSpec {
        name: wire.name,
        label: wire.label,
        help: wire.help,
        fields: wire.fields.into_iter().map(field).collect(),
    }
}

fn field(wire: wire::Field) -> FieldSpec {
    FieldSpec {
        name: wire.name,
        label: wire.label,
        kind: match wire.kind {
            wire::FieldKind::Text => FieldKind::Text,
            wire::FieldKind::Number => FieldKind::Number,
            wire::FieldKind::Boolean => FieldKind::Boolean,
            wire::FieldKind::Url => FieldKind::Url,
            wire::FieldKind::Select => FieldKind::Select,
            wire::FieldKind::Multiline => FieldKind::Multiline,
        },
        secret: wire.secret,
        required: wire.required,
        default: wire.default,
        options: wire.options.into_iter().map(|c| Choice { value: c.value, label: c.label }).collect(),
        pattern: wire.pattern,
        min_length: wire.min_length,
        max_length: wire.max_length,
        placeholder: wire.placeholder,
        help: wire.help,
        example: wire.example,
        hint: wire.hint,
        supplier: match wire.supplier {
            wire::Supplier::Caller => Supplier::Caller,
            wire::Supplier::Organisation => Supplier::Organisation,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, kind: wire::FieldKind, secret: bool) -> wire::Field {
        wire::Field {
            name: name.to_owned(),
            label: name.to_owned(),
            kind,
            secret,
            required: true,
            default: None,
            options: Vec::new(),
            pattern: None,
            min_length: None,
            max_length: None,
            placeholder: None,
            help: None,
            example: None,
            hint: None,
            supplier: wire::Supplier::Caller,
        }
    }

    fn acme() -> wire::Description {
        let fields = vec![
            field("base_url", wire::FieldKind::Url, false),
            field("secret_url", wire::FieldKind::Url, true),
            field("name", wire::FieldKind::Text, false),
        ];
        wire::Description {
            slug: "acme".to_owned(),
            name: "Acme".to_owned(),
            about: Some("Rockets".to_owned()),
            tags: vec!["e-commerce".to_owned()],
            icon: None,
            docs: "https://acme.example/docs".to_owned(),
            grants: vec![grant_for("{base_url}")],
            reads_secrets: false,
            auth_types: vec![wire::AuthType {
                name: "keybased".to_owned(),
                label: "Key".to_owned(),
                help: None,
                fields,
            }],
        }
    }

    fn grant_for(host: &str) -> wire::Grant {
        wire::Grant {
            host: host.to_owned(),
            methods: vec![super::super::bindings::http::Method::Get],
            path_prefix: "/v1".to_owned(),
        }
    }

    #[test]
    fn a_description_that_holds_together_is_taken_as_it_is() {
        let app = description(acme()).unwrap();
        assert_eq!((app.about.as_deref(), app.tags), (Some("Rockets"), vec!["e-commerce".to_owned()]));
        assert_eq!(app.requested[0].host.field(), Some("base_url"));
    }

    #[test]
    fn one_that_does_not_is_refused_with_the_place_and_what_it_must_be() {
        type Change = fn(&mut wire::Description);
        let cases: [(Change, &str); 12] = [
            (|app| app.slug = "Acme Inc".to_owned(), "slug: "),
            (|app| app.name.clear(), "name: it must have 1 to 200 bytes"),
            (|app| app.about = Some(String::new()), "about: it must have 1 to 500 characters"),
            (|app| app.about = Some("x".repeat(501)), "about: it must have 1 to 500 characters"),
            (|app| app.tags = vec!["E-Commerce".to_owned()], "tags: "),
            (|app| app.tags = vec!["x".to_owned(); 17], "tags: there can be 16"),
            (|app| app.docs = "http://acme.example".to_owned(), "docs: it must be an https URL"),
            (|app| app.icon = Some("javascript:alert(1)".to_owned()), "icon: it must be"),
            (|app| app.grants[0].methods.clear(), "grant for `{base_url}`: methods: at least one is needed"),
            (|app| app.grants[0] = grant_for("{nowhere}"), "grant for `{nowhere}`: no auth type has a field `nowhere`"),
            (|app| app.grants[0] = grant_for("{secret_url}"), "of kind url that is not secret"),
            (|app| app.grants[0] = grant_for("{name}"), "no auth type has a field `name` of kind url"),
        ];
        for (change, expected) in cases {
            let mut app = acme();
            change(&mut app);
            let error = description(app).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
