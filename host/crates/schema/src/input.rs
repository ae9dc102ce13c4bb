//! [`Input`]: JSON from a caller whose strings are secrets from the moment they are parsed.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use keyferry_types::secret::{Secret, SharedSecret};
use keyferry_types::zeroizing::to_zeroizing_vec;

/// Nesting beyond this is refused before it can cost stack.
pub(super) const MAX_DEPTH: usize = 16;

/// A JSON value in which every string is a [`Secret`], so that no copy of a credential lies in an ordinary `String`.
///
/// Objects keep the order of their members. A repeated member is an error, since two readers could pick different ones. Its
/// `Debug` is its shape: not even names are shown, since a caller can mix up name and value.
pub enum Input {
    /// JSON `null`.
    Null,
    /// JSON `true` or `false`.
    Bool(bool),
    /// A number, as `serde_json` writes it: a PIN is a secret, too.
    Number(SharedSecret),
    /// A JSON string.
    Text(SharedSecret),
    /// A JSON array.
    Array(Vec<Input>),
    /// A JSON object, as pairs of name and value.
    Object(Vec<(String, Input)>),
}

impl Input {
    /// The kind of JSON value, with an article, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The members, if it is an object.
    pub fn members(&self) -> Option<&[(String, Input)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The member of that name, if it is an object that has one.
    pub fn member(&self, name: &str) -> Option<&Input> {
        self.members()?.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// The value in a form that does not depend on white space, the order of members or how strings were escaped. It
    /// holds the secrets, hence the wiped buffer; it is meant to be fed to a keyed hash.
    pub fn canonical(&self) -> Zeroizing<Vec<u8>> {
        // Grown by hand so that no shorter buffer is left behind unwiped.
        let mut out = Zeroizing::new(Vec::with_capacity(self.canonical_len()));
        self.write_canonical(&mut out);
        out
    }

    /// The value as JSON, in one buffer that never moves.
    ///
    /// # Errors
    /// None that can be expected: writing to memory does not fail.
    pub fn to_json(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        to_zeroizing_vec(|out| self.write_json(out))
    }

    fn write_json(&self, mut out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Null => out.write_all(b"null"),
            Self::Bool(value) => out.write_all(if *value { b"true" } else { b"false" }),
            Self::Number(digits) => out.write_all(digits.expose().as_bytes()),
            Self::Text(text) => Ok(serde_json::to_writer(&mut out, text.expose())?),
            Self::Array(items) => {
                out.write_all(b"[")?;
                for (place, item) in items.iter().enumerate() {
                    out.write_all(if place == 0 { b"" } else { b"," })?;
                    item.write_json(out)?;
                }
                out.write_all(b"]")
            }
            Self::Object(members) => {
                out.write_all(b"{")?;
                for (place, (name, value)) in members.iter().enumerate() {
                    out.write_all(if place == 0 { b"" } else { b"," })?;
                    serde_json::to_writer(&mut out, name)?;
                    out.write_all(b":")?;
                    value.write_json(out)?;
                }
                out.write_all(b"}")
            }
        }
    }

    fn canonical_len(&self) -> usize {
        9 + match self {
            Self::Null | Self::Bool(_) => 0,
            Self::Number(digits) => digits.len(),
            Self::Text(text) => text.len(),
            Self::Array(items) => items.iter().map(Self::canonical_len).sum(),
            Self::Object(members) => members.iter().map(|(name, value)| 9 + name.len() + value.canonical_len()).sum(),
        }
    }

    fn write_canonical(&self, out: &mut Vec<u8>) {
        fn tagged(out: &mut Vec<u8>, tag: u8, len: usize) {
            out.push(tag);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
        match self {
            Self::Null => tagged(out, b'n', 0),
            Self::Bool(value) => tagged(out, b'b', usize::from(*value)),
            Self::Number(digits) => {
                tagged(out, b'd', digits.len());
                out.extend_from_slice(digits.expose().as_bytes());
            }
            Self::Text(text) => {
                tagged(out, b's', text.len());
                out.extend_from_slice(text.expose().as_bytes());
            }
            Self::Array(items) => {
                tagged(out, b'a', items.len());
                items.iter().for_each(|item| item.write_canonical(out));
            }
            Self::Object(members) => {
                tagged(out, b'o', members.len());
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
                for (name, value) in sorted {
                    tagged(out, b'k', name.len());
                    out.extend_from_slice(name.as_bytes());
                    value.write_canonical(out);
                }
            }
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array(items) => f.debug_list().entries(items).finish(),
            Self::Object(members) => f.debug_map().entries(members.iter().map(|(_, value)| ("***", value))).finish(),
            scalar => f.write_str(scalar.kind()),
        }
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        de::DeserializeSeed::deserialize(Nested(0), deserializer)
    }
}

/// Parses one value at a depth.
struct Nested(usize);

impl<'de> de::DeserializeSeed<'de> for Nested {
    type Value = Input;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Input, D::Error> {
        if self.0 > MAX_DEPTH {
            return Err(de::Error::custom(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Input;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Input, E> {
        Ok(Input::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Input, E> {
        Ok(Input::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Input, E> {
        Ok(Input::Number(SharedSecret::new(Secret::new(value.to_string()))))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Input, E> {
        Ok(Input::Number(SharedSecret::new(Secret::new(value.to_string()))))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Input, E> {
        Ok(Input::Number(SharedSecret::new(Secret::new(value.to_string()))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Input, E> {
        Ok(Input::Text(SharedSecret::new(Secret::new(value))))
    }

    fn visit_string<E>(self, value: String) -> Result<Input, E> {
        Ok(Input::Text(SharedSecret::new(Secret::new(value))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Input, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Nested(self.0 + 1))? {
            array.push(item);
        }
        Ok(Input::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Input, A::Error> {
        let mut object: Vec<(String, Input)> = Vec::new();
        let mut seen = Names::default();
        while let Some(name) = members.next_key::<String>()? {
            if !seen.insert(&object, &name) {
                return Err(de::Error::custom("an object holds the same member twice"));
            }
            object.push((name, members.next_value_seed(Nested(self.0 + 1))?));
        }
        Ok(Input::Object(object))
    }
}

/// The names of an object's members: a set of them where comparing them one by one would take long.
#[derive(Default)]
struct Names(HashSet<String>);

/// Members that are compared one by one.
const FEW: usize = 16;

impl Names {
    /// Whether the name is not yet among the members.
    fn insert(&mut self, members: &[(String, Input)], name: &str) -> bool {
        if members.len() < FEW {
            return members.iter().all(|(other, _)| other != name);
        }
        if self.0.is_empty() {
            self.0.extend(members.iter().map(|(name, _)| name.clone()));
        }
        self.0.insert(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Input {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_parsed_value_never_prints_what_is_in_it() {
        let printed = format!("{:?}", parse(r#"{"s3cr3t":{"api_key":"s3cr3t","more":["s3cr3t",31337]}}"#));
        assert!(!printed.contains("s3cr3t") && !printed.contains("31337"), "{printed}");
    }

    #[test]
    fn the_canonical_form_depends_on_meaning_alone() {
        let one = parse(r#"{"a":"x","b":[1,true,null]}"#).canonical();
        assert_eq!(*one, *parse(" { \"b\" : [1, true, null], \"\\u0061\" : \"\\u0078\" } ").canonical());
        for other in [r#"{"a":"x","b":[1,true]}"#, r#"{"a":"x","b":["1",true,null]}"#, r#"{"ab":"x","":[1,true,null]}"#]
        {
            assert_ne!(*one, *parse(other).canonical(), "{other}");
        }
    }

    #[test]
    fn a_repeated_member_or_endless_nesting_is_refused() {
        assert!(
            serde_json::from_str::<Input>(r#"{"a":1,"a":2}"#).unwrap_err().to_string().contains("same member twice")
        );
        for count in 1..40 {
            let mut members: Vec<_> = (0..count).map(|number| format!("\"m{number}\":0")).collect();
            assert!(serde_json::from_str::<Input>(&format!("{{{}}}", members.join(","))).is_ok(), "{count}");
            for twice in [0, count - 1] {
                members.push(format!("\"m{twice}\":1"));
                assert!(
                    serde_json::from_str::<Input>(&format!("{{{}}}", members.join(","))).is_err(),
                    "{count} {twice}"
                );
                members.pop();
            }
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(serde_json::from_str::<Input>(&deep).unwrap_err().to_string().contains("levels deep"));
    }
}
