//! The schema itself. A plugin's words ([`AuthTypeSpec`], [`FieldSpec`]) are parsed once, at admission, into an
//! [`AuthSchema`] whose names are well formed and whose patterns are compiled.

use regex::{Regex, RegexBuilder};

use crate::hint::Hint;
use keyferry_types::ids::{AuthTypeName, FieldName, InvalidName};
use keyferry_types::text::{Lines, is_fit};

/// Bytes that one compiled pattern may take. Matching is linear in time for every pattern, with a factor that grows
/// with the compiled size: this limit bounds time and memory.
const PATTERN_BYTES: usize = 32 * 1024;
/// Bytes that one thread may keep to match one pattern faster; where they do not do, matching is slower.
const DFA_BYTES: usize = 128 * 1024;
/// Patterns and hints of one app: each is compiled at admission.
const MAX_PATTERNS: usize = 128;
const MAX_AUTH_TYPES: usize = 16;
const MAX_FIELDS: usize = 64;
const MAX_OPTIONS: usize = 256;
/// Bytes of any one text in a description: labels, help, patterns.
const MAX_TEXT: usize = 4 * 1024;

/// One way to authenticate, as a plugin describes it.
#[derive(Debug, Clone, Default)]
pub struct AuthTypeSpec {
    /// Key in `auth_object`, such as `keybased`.
    pub name: String,
    /// Name of the auth type that a form shows.
    pub label: String,
    /// For people, a sentence or two.
    pub help: Option<String>,
    /// The fields, in the order in which a form shows them.
    pub fields: Vec<FieldSpec>,
}

/// One field, as a plugin describes it. `wit/v1/plugin.wit` (record `field`) says what each member means.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the contract documents each member")]
pub struct FieldSpec {
    pub name: String,
    pub label: String,
    pub kind: FieldKind,
    pub secret: bool,
    pub required: bool,
    pub default: Option<String>,
    pub options: Vec<Choice>,
    pub pattern: Option<String>,
    pub min_length: Option<u32>,
    pub max_length: Option<u32>,
    pub placeholder: Option<String>,
    pub help: Option<String>,
    pub example: Option<String>,
    pub hint: Option<String>,
    pub supplier: Supplier,
}

/// The kind of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldKind {
    /// One line of text.
    #[default]
    Text,
    /// A number, or text that reads as one.
    Number,
    /// A boolean, or `true` or `false` as text.
    Boolean,
    /// An absolute `https` URL.
    Url,
    /// One of the options.
    Select,
    /// Several lines of text.
    Multiline,
}

/// Who supplies the value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Supplier {
    /// The caller sends it with the credential.
    #[default]
    Caller,
    /// The organisation's own app settings; never demanded from a caller.
    Organisation,
}

/// Whether a plugin sees a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// It gets the text.
    Plain,
    /// It gets a handle.
    Secret,
}

/// Whether a credential without the field is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Necessity {
    /// A credential without the field is refused.
    Required,
    /// A credential may lack the field.
    Optional,
}

/// One value that a select field can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The value that the credential contains.
    pub value: String,
    /// Name of the value that a form shows.
    pub label: String,
}

/// A description that does not hold together. Each message names the auth type and the field.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SchemaError {
    #[error("the description has {found} {what}; it must have {allowed}")]
    Count { what: String, found: usize, allowed: String },
    #[error("{place}: {source}")]
    Name { place: String, source: InvalidName },
    #[error("{place} is described twice")]
    Twice { place: String },
    #[error("{place}: the {what} does not compile: {reason}")]
    Pattern { place: String, what: &'static str, reason: String },
    #[error("{place}: the {what} has control characters or such that turn text around")]
    Unfit { place: String, what: &'static str },
    #[error("{place}: {problem}")]
    Field { place: String, problem: &'static str },
}

/// All auth types of one app.
#[derive(Debug)]
pub struct AuthSchema {
    types: Vec<AuthType>,
}

/// One auth type with its fields.
#[derive(Debug)]
pub struct AuthType {
    /// Key in `auth_object`, such as `keybased`.
    pub name: AuthTypeName,
    /// Name of the auth type that a form shows.
    pub label: String,
    /// Explanation that a form shows.
    pub help: Option<String>,
    /// In the order described.
    pub fields: Vec<Field>,
}

/// One field of an auth type, as validated from its `FieldSpec`.
#[derive(Debug)]
pub struct Field {
    /// Key in the credential.
    pub name: FieldName,
    /// The description by the plugin: texts for people, kind, options, lengths, default.
    pub spec: FieldSpec,
    /// Whether the plugin sees it.
    pub secrecy: Secrecy,
    /// Whether a caller must send it.
    pub necessity: Necessity,
    /// Anchored: the whole value must match.
    pub(super) pattern: Option<Regex>,
    /// The hint of a secret: the part of it that a plugin is shown.
    pub hint: Option<Hint>,
}

impl AuthSchema {
    /// Parses a plugin's description.
    ///
    /// # Errors
    /// The first thing that does not hold together.
    pub fn parse(specs: Vec<AuthTypeSpec>) -> Result<Self, SchemaError> {
        if specs.is_empty() || specs.len() > MAX_AUTH_TYPES {
            return Err(SchemaError::Count {
                what: "auth types".into(),
                found: specs.len(),
                allowed: format!("1 to {MAX_AUTH_TYPES}"),
            });
        }
        let fields = || specs.iter().flat_map(|spec| &spec.fields);
        let patterns = fields().filter_map(|field| field.pattern.as_ref()).count();
        let hints = fields().filter_map(|field| field.hint.as_ref()).count();
        if patterns + hints > MAX_PATTERNS {
            return Err(SchemaError::Count {
                what: "patterns and hints".into(),
                found: patterns + hints,
                allowed: format!("at most {MAX_PATTERNS}"),
            });
        }
        let mut types: Vec<AuthType> = Vec::with_capacity(specs.len());
        for spec in specs {
            let parsed = AuthType::parse(spec)?;
            if types.iter().any(|other| other.name == parsed.name) {
                return Err(SchemaError::Twice { place: format!("auth type `{}`", parsed.name) });
            }
            types.push(parsed);
        }
        Ok(Self { types })
    }

    /// The auth types, in the order described.
    pub fn types(&self) -> &[AuthType] {
        &self.types
    }

    /// The auth type of that name.
    pub fn auth_type(&self, name: &str) -> Option<&AuthType> {
        self.types.iter().find(|auth_type| auth_type.name.as_str() == name)
    }
}

impl AuthType {
    fn parse(spec: AuthTypeSpec) -> Result<Self, SchemaError> {
        let place = format!("auth type `{}`", spec.name.chars().take(80).collect::<String>());
        let name: AuthTypeName =
            spec.name.parse().map_err(|source| SchemaError::Name { place: place.clone(), source })?;
        use Lines::{One, Several};
        text_fits(&place, [("label", Some(&spec.label), One), ("help", spec.help.as_ref(), Several)])?;
        if spec.fields.is_empty() || spec.fields.len() > MAX_FIELDS {
            return Err(SchemaError::Count {
                what: format!("fields in {place}"),
                found: spec.fields.len(),
                allowed: format!("1 to {MAX_FIELDS}"),
            });
        }
        let mut fields: Vec<Field> = Vec::with_capacity(spec.fields.len());
        for field in spec.fields {
            let field = Field::parse(&name, field)?;
            if fields.iter().any(|other| other.name == field.name) {
                return Err(SchemaError::Twice { place: format!("field `{name}.{}`", field.name) });
            }
            fields.push(field);
        }
        Ok(Self { name, label: spec.label, help: spec.help, fields })
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }
}

impl Field {
    fn parse(auth_type: &AuthTypeName, spec: FieldSpec) -> Result<Self, SchemaError> {
        let place = format!("field `{auth_type}.{}`", spec.name.chars().take(80).collect::<String>());
        let name = spec.name.parse().map_err(|source| SchemaError::Name { place: place.clone(), source })?;
        let wrong = |problem| Err(SchemaError::Field { place: place.clone(), problem });
        use Lines::{One, Several};
        text_fits(
            &place,
            [
                ("label", Some(&spec.label), One),
                ("default", spec.default.as_ref(), Several),
                ("pattern", spec.pattern.as_ref(), One),
                ("placeholder", spec.placeholder.as_ref(), Several),
                ("help", spec.help.as_ref(), Several),
                ("example", spec.example.as_ref(), Several),
                ("hint", spec.hint.as_ref(), One),
            ],
        )?;
        if spec.options.len() > MAX_OPTIONS {
            return wrong("it has more than 256 options");
        }
        for option in &spec.options {
            text_fits(&place, [("option", Some(&option.value), One), ("option", Some(&option.label), One)])?;
        }
        if (spec.kind == FieldKind::Select) == spec.options.is_empty() {
            return wrong("a select field needs options, and no other kind has them");
        }
        if spec.secret && spec.default.is_some() {
            return wrong("a secret cannot have a default");
        }
        if spec.hint.is_some() && !spec.secret {
            return wrong("only a secret has a hint; the plugin sees a plain value as it is");
        }
        if matches!((spec.min_length, spec.max_length), (Some(min), Some(max)) if min > max) {
            return wrong("its minimum length is above its maximum");
        }
        let compile = |what, text: Option<&String>, anchored: bool| {
            text.map(|text| {
                let text = if anchored { format!(r"\A(?:{text})\z") } else { text.clone() };
                RegexBuilder::new(&text)
                    .size_limit(PATTERN_BYTES)
                    .dfa_size_limit(DFA_BYTES)
                    .build()
                    .map_err(|error| SchemaError::Pattern { place: place.clone(), what, reason: error.to_string() })
            })
            .transpose()
        };
        let pattern = compile("pattern", spec.pattern.as_ref(), true)?;
        let hint = compile("hint", spec.hint.as_ref(), false)?.map(Hint::new);
        let necessity = if spec.required && spec.supplier == Supplier::Caller && spec.default.is_none() {
            Necessity::Required
        } else {
            Necessity::Optional
        };
        let secrecy = if spec.secret { Secrecy::Secret } else { Secrecy::Plain };
        Ok(Self { name, secrecy, necessity, pattern, hint, spec })
    }
}

/// Checks texts for people: what each is, the text, and whether it may have several lines.
fn text_fits<const N: usize>(
    place: &str,
    texts: [(&'static str, Option<&String>, Lines); N],
) -> Result<(), SchemaError> {
    for (what, text, lines) in texts {
        let Some(text) = text else { continue };
        if text.len() > MAX_TEXT {
            return Err(SchemaError::Field {
                place: place.to_owned(),
                problem: "one of its texts is longer than 4 KiB",
            });
        }
        if !is_fit(text, lines) {
            return Err(SchemaError::Unfit { place: place.to_owned(), what });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_that_does_not_hold_together_names_the_field() {
        let field = |change: fn(&mut FieldSpec)| {
            let mut spec = FieldSpec { name: "f".into(), ..FieldSpec::default() };
            change(&mut spec);
            vec![AuthTypeSpec { name: "keybased".into(), fields: vec![spec], ..AuthTypeSpec::default() }]
        };
        let cases: [(Vec<AuthTypeSpec>, &str); 8] = [
            (vec![], "0 auth types"),
            (field(|f| f.name = "a b".into()), "`keybased.a b`"),
            (field(|f| f.pattern = Some("(".into())), "pattern does not compile"),
            (field(|f| f.pattern = Some(r"\w{1000}{1000}".into())), "pattern does not compile"),
            (field(|f| f.kind = FieldKind::Select), "needs options"),
            (field(|f| (f.secret, f.default) = (true, Some("x".into()))), "cannot have a default"),
            (field(|f| f.hint = Some("x".into())), "only a secret"),
            (field(|f| f.help = Some("x".repeat(5000))), "longer than 4 KiB"),
        ];
        for (specs, expected) in cases {
            let error = AuthSchema::parse(specs).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
