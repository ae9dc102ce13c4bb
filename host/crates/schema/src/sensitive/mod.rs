//! Which fields look like secrets by what they are called, asked for by, or by their example.
//!
//! A plugin reads a field that is not marked secret as text. A name, label or placeholder is read as a compound whose last word says
//! what it is: `private_key_id` and `token_uri` name an id and a URI, `api_key` and `ClientSecret` a key and a secret. So an
//! `access_key_id` is no secret, and needs no exception of its own.

//! | file | question |
//! |---|---|
//! | `words` | which words name a secret, and which something else? |
//! | `compound` | which word of a text names a secret? |
//! | `shape` | which values and patterns have the shape of a key? |

mod compound;
mod shape;
#[cfg(test)]
mod tests;
mod words;

use crate::model::{Field, FieldKind};
use compound::{asked_for, is_harmless, secret_word};
use shape::{begins_like_key, is_key_like};

/// Why a field that is not secret looks as if it were; `None` where it does not. Whether it is marked secret plays no part.
pub fn suspicion(field: &Field) -> Option<String> {
    let spec = &field.spec;
    // The plugin knows the values that these can have.
    if matches!(spec.kind, FieldKind::Boolean | FieldKind::Select) {
        return None;
    }
    let is_identifier = is_harmless(field.name.as_str());
    for (what, text) in [
        ("name", Some(field.name.as_str())),
        ("label", Some(spec.label.as_str())),
        ("placeholder", spec.placeholder.as_deref()),
    ] {
        if let Some(word) = text.and_then(secret_word) {
            return Some(format!("its {what} has the word `{word}`"));
        }
    }
    // An identifier's help may say where the key stands that belongs to it.
    if let Some(word) = spec.help.as_deref().filter(|_| !is_identifier).and_then(asked_for) {
        return Some(format!("its help asks for a `{word}`"));
    }
    if spec.pattern.as_deref().is_some_and(begins_like_key) {
        return Some("its pattern is that of a key".to_owned());
    }
    let values = [("example", &spec.example), ("placeholder", &spec.placeholder), ("default", &spec.default)];
    values.into_iter().find_map(|(what, value)| {
        let value = value.as_deref()?;
        is_key_like(value, is_identifier).then(|| format!("its {what} looks like a key"))
    })
}
