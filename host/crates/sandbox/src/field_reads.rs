//! Which parts of a credential a plugin reads: fields as text, and the beginning or end of secrets.

use serde::{Deserialize, Serialize};

use super::description::{AppDescription, SecretAccess};
use keyferry_schema::{AuthSchema, AuthType, Field, HINT_CHARS, HintEnd, HintFault, Secrecy, suspicion};
use keyferry_types::ids::{AuthTypeName, FieldName};

/// The part of a field that a plugin reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reads {
    /// The whole value, as text.
    Text,
    /// The match of the hint at the beginning: at most 12 characters, and at most a third of the value.
    Beginning,
    /// The match of the hint at the end, within the same bounds.
    End,
}

/// A field of which a plugin reads something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldRead {
    /// Auth type of the field.
    pub auth_type: AuthTypeName,
    /// Name of the field.
    pub field: FieldName,
    /// Which part of the field.
    pub reads: Reads,
    /// The hint's pattern, where the plugin reads a piece of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Why a field that is read as text looks like a secret, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks_secret: Option<String>,
}

impl FieldRead {
    /// `keybased.api_key`, as a grant names it.
    pub fn place(&self) -> String {
        format!("{}.{}", self.auth_type, self.field)
    }

    /// Whether a grant has to name the field.
    pub fn is_suspicious(&self) -> bool {
        self.looks_secret.is_some()
    }

    /// The reads in words: one line for the text fields, one for each hint. A field of several auth types is listed once.
    pub fn summary(reads: &[Self]) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        let mut lines: Vec<String> = Vec::new();
        for read in reads {
            let field = &read.field;
            match read.reads {
                Reads::Text => {
                    let why =
                        read.looks_secret.as_ref().map(|why| format!(" (looks secret: {why})")).unwrap_or_default();
                    push_new(&mut texts, format!("{field}{why}"));
                }
                Reads::Beginning | Reads::End => {
                    let end = if read.reads == Reads::Beginning { "beginning" } else { "end" };
                    let pattern = read.hint.as_deref().unwrap_or_default();
                    push_new(
                        &mut lines,
                        format!("sees the {end} of {field} (at most {HINT_CHARS} characters, {pattern})"),
                    );
                }
            }
        }
        if !texts.is_empty() {
            lines.insert(0, format!("reads as text: {}", texts.join(", ")));
        }
        lines
    }
}

impl AppDescription {
    /// The reads of the plugin, in the order of its fields.
    pub fn field_reads(&self) -> Vec<FieldRead> {
        let of_type = |auth_type: &AuthType| {
            let reads: Vec<_> =
                auth_type.fields.iter().filter_map(|field| read(auth_type, field, self.secret_access)).collect();
            reads
        };
        self.schema.types().iter().flat_map(of_type).collect()
    }
}

fn read(auth_type: &AuthType, field: &Field, access: SecretAccess) -> Option<FieldRead> {
    let read = |reads, hint, looks_secret| FieldRead {
        auth_type: auth_type.name.clone(),
        field: field.name.clone(),
        reads,
        hint,
        looks_secret,
    };
    match (field.secrecy, access) {
        (Secrecy::Plain, _) => Some(read(Reads::Text, None, suspicion(field))),
        // That it reads secrets is a request of its own, which covers all of them.
        (Secrecy::Secret, SecretAccess::PlainText) => Some(read(Reads::Text, None, None)),
        (Secrecy::Secret, SecretAccess::Handles) => {
            let reads = match field.hint.as_ref()?.end().ok()? {
                HintEnd::Beginning => Reads::Beginning,
                HintEnd::End => Reads::End,
            };
            Some(read(reads, field.spec.hint.clone(), None))
        }
    }
}

/// The first field whose hint is not anchored: `keybased.api_key`, and what is wrong.
pub(super) fn unanchored_hint(schema: &AuthSchema) -> Option<String> {
    schema.types().iter().find_map(|auth_type| {
        auth_type.fields.iter().find_map(|field| {
            let fault = field.hint.as_ref()?.end().err().filter(|fault| *fault == HintFault::Unanchored)?;
            Some(format!("field `{}.{}`: {fault}", auth_type.name, field.name))
        })
    })
}

/// The fields that a grant has to name and does not.
pub(super) fn ungranted(reads: &[FieldRead], granted: &[String]) -> Vec<String> {
    reads
        .iter()
        .filter(|read| read.is_suspicious())
        .map(FieldRead::place)
        .filter(|place| !granted.contains(place))
        .collect()
}

fn push_new(lines: &mut Vec<String>, line: String) {
    if !lines.contains(&line) {
        lines.push(line);
    }
}
