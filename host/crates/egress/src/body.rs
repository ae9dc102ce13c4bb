//! Assembles the body of a request.

use keyferry_types::zeroizing::Zeroizing;
use serde::de::IgnoredAny;

use super::assembler::{Assembler, Value};
use super::error::Invalid;
use super::mint::is_pointer;
use super::offending_parts::breaks_json;
use super::percent_encode::strict;
use super::request::{Body, JsonMember, JsonValue, Pair};

/// The deepest that pointers nest objects.
const DEEPEST: usize = 32;

/// An assembled body, with secrets in it.
pub(super) struct Content<'r> {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) content_type: Option<&'r str>,
    /// The fields of a form, decoded, for a signature over them.
    pub(super) form: Vec<(&'r str, Value)>,
}

/// Assembles the body.
pub(super) fn assemble<'r>(body: &'r Body, assembler: &mut Assembler<'_>) -> Result<Content<'r>, Invalid> {
    match body {
        Body::Empty => Ok(Content { bytes: Zeroizing::default(), content_type: None, form: Vec::new() }),
        Body::Text { content_type, content } => Ok(Content {
            bytes: Zeroizing::new(content.as_bytes().to_vec()),
            content_type: Some(content_type),
            form: Vec::new(),
        }),
        Body::Form(fields) => {
            let form = pairs(fields, assembler)?;
            let bytes = Zeroizing::new(urlencoded(&form).as_bytes().to_vec());
            Ok(Content { bytes, content_type: Some("application/x-www-form-urlencoded"), form })
        }
        Body::Json(members) => {
            let mut root = Node::Object(Vec::new());
            for member in members {
                root.insert(member, assembler)?;
            }
            let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
            root.write(&mut bytes);
            Ok(Content { bytes, content_type: Some("application/json"), form: Vec::new() })
        }
    }
}

/// Assembles the values of pairs.
pub(super) fn pairs<'r>(pairs: &'r [Pair], assembler: &mut Assembler<'_>) -> Result<Vec<(&'r str, Value)>, Invalid> {
    pairs.iter().map(|pair| Ok((pair.name.as_str(), assembler.assemble(&pair.value)?))).collect()
}

/// Pairs in the form of a query or of `application/x-www-form-urlencoded`.
pub(super) fn urlencoded(pairs: &[(&str, Value)]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            text.push('&');
        }
        text.extend(strict(name));
        text.push('=');
        text.extend(strict(value.expose()));
    }
    text
}

/// A JSON value under construction. Members keep their order, literals their spelling.
enum Node {
    Object(Vec<(String, Node)>),
    Literal(String),
    Text(Value),
}

impl Node {
    fn insert(&mut self, member: &JsonMember, assembler: &mut Assembler<'_>) -> Result<(), Invalid> {
        let pointer = &member.pointer;
        if !is_pointer(pointer) {
            return Err(Invalid::new(format!("{} is not a JSON pointer (RFC 6901)", shown(pointer))));
        }
        // Writing and dropping recurse, so the depth is bounded.
        if pointer.split('/').count() > DEEPEST + 1 {
            return Err(Invalid::new(format!("a JSON body is at most {DEEPEST} objects deep")));
        }
        let value = match &member.value {
            JsonValue::Parts(parts) => Self::Text(assembler.assemble(parts)?),
            JsonValue::Literal(text) => {
                serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
                    let message = format!("the literal at {} is not JSON: {error}", shown(pointer));
                    Invalid::with_text(message, text, breaks_json)
                })?;
                Self::Literal(text.trim().to_owned())
            }
        };
        let mut node = self;
        for step in pointer.split('/').skip(1) {
            let name = step.replace("~1", "/").replace("~0", "~");
            let Self::Object(members) = node else {
                return Err(Invalid::new(format!("the JSON body has something else on the way to {}", shown(pointer))));
            };
            let index = match members.iter().position(|(known, _)| *known == name) {
                Some(index) => index,
                None => {
                    members.push((name, Self::Object(Vec::new())));
                    members.len() - 1
                }
            };
            let Some((_, next)) = members.get_mut(index) else {
                return Err(Invalid::new("the JSON body cannot be put together"));
            };
            node = next;
        }
        // An object without members is one that was just made (or the body itself, still empty).
        match node {
            Self::Object(members) if members.is_empty() => {
                *node = value;
                Ok(())
            }
            _ => Err(Invalid::new(format!("the JSON body has two values at {}", shown(pointer)))),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Self::Text(value) => write_string(value.expose(), out),
            Self::Object(members) => {
                out.push(b'{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_string(name, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    // Writing a string to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

fn shown(pointer: &str) -> String {
    format!("{:?}", pointer.chars().take(80).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::call::Call;
    use crate::{EgressLimits, GrantSet, Part};
    use keyferry_types::secret::Secret;
    use tokio::time::Instant;

    fn sent(body: &Body) -> Result<String, String> {
        let mut call = Call::new(Arc::new(GrantSet::default()), Instant::now(), &EgressLimits::default());
        let content = assemble(body, &mut Assembler::new(&mut call)).map_err(|invalid| invalid.message)?;
        Ok(String::from_utf8(content.bytes.to_vec()).unwrap())
    }

    fn secret(value: &str) -> Part {
        Part::Secret(Arc::new(Secret::new(value)))
    }

    fn literal(pointer: &str, text: &str) -> JsonMember {
        JsonMember { pointer: pointer.to_owned(), value: JsonValue::Literal(text.to_owned()) }
    }

    fn parts(pointer: &str, parts: Vec<Part>) -> JsonMember {
        JsonMember { pointer: pointer.to_owned(), value: JsonValue::Parts(parts) }
    }

    #[test]
    fn a_json_body_is_put_together_member_by_member() {
        let body = Body::Json(vec![
            literal("/z", " 1.50 "),
            parts("/auth/key", vec![Part::Text("k-".to_owned()), secret("\"}\\\n,\"x\":1")]),
            literal("/auth/a~1b", "[1, {\"c\":null}]"),
            parts("/empty", vec![]),
        ]);
        let expected = r#"{"z":1.50,"auth":{"key":"k-\"}\\\n,\"x\":1","a/b":[1, {"c":null}]},"empty":""}"#;
        assert_eq!(sent(&body).unwrap(), expected);
        assert_eq!(sent(&Body::Json(vec![])).unwrap(), "{}");
        assert_eq!(sent(&Body::Json(vec![literal("", "[1,2]")])).unwrap(), "[1,2]");
    }

    #[test]
    fn members_that_exclude_each_other_are_refused() {
        for members in [
            vec![literal("/a", "1"), literal("/a", "2")],
            vec![literal("/a", "1"), literal("/a/b", "2")],
            vec![literal("/a", "{}"), literal("/a/b", "2")],
            vec![literal("/a/b", "1"), literal("/a", "2")],
            vec![literal("/a", "1"), literal("", "{}")],
            vec![literal("a", "1")],
            vec![literal("/a~2", "1")],
            vec![literal("/a", "{")],
            vec![literal("/a", "1,\"b\":2")],
            vec![literal("/a", "")],
            vec![literal(&"/a".repeat(DEEPEST + 1), "1")],
        ] {
            let shown = format!("{members:?}");
            assert!(sent(&Body::Json(members)).is_err(), "{shown}");
        }
    }

    #[test]
    fn form_fields_cannot_break_out() {
        let field = |name: &str, value| Pair { name: name.to_owned(), value: vec![value] };
        let body = Body::Form(vec![field("grant type", Part::Text("a&b=c".to_owned())), field("p", secret("x y+&=é"))]);
        assert_eq!(sent(&body).unwrap(), "grant%20type=a%26b%3Dc&p=x%20y%2B%26%3D%C3%A9");
    }
}
