//! Names of members in a JSON text, duplicates included.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The longest name that is looked at, in bytes.
const LONGEST_NAME: usize = 256;

/// The names of an object's members, or of those of the objects in an array: all of them, also those of the same name,
/// since servers differ in which of them counts. For text that is not complete JSON, which some servers read all the
/// same, every word before a colon.
pub(super) fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Members { names: &mut names, depth: Depth::Outer }.deserialize(&mut deserializer);
    if read.and_then(|()| deserializer.end()).is_err() {
        names.extend(before_colons(text));
    }
    names
}

/// Position of a value in the nesting.
#[derive(Clone, Copy)]
enum Depth {
    /// It is the text, whose arrays are looked into.
    Outer,
    Inner,
}

/// Collects the names of a value's members. What they hold is passed over without limit to its depth.
struct Members<'n> {
    names: &'n mut Vec<String>,
    depth: Depth,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key()? {
            self.names.push(name);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        match self.depth {
            Depth::Outer => {
                while let Some(()) = seq.next_element_seed(Members { names: self.names, depth: Depth::Inner })? {}
            }
            Depth::Inner => while seq.next_element::<IgnoredAny>()?.is_some() {},
        }
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The word before each colon, in quotes of either kind or without.
fn before_colons(text: &str) -> impl Iterator<Item = String> + '_ {
    text.match_indices(':').filter_map(|(colon, _)| {
        let before = text.get(text.ceil_char_boundary(colon.saturating_sub(LONGEST_NAME))..colon)?.trim_end();
        match before.chars().next_back()? {
            quote @ ('"' | '\'') => before.strip_suffix(quote)?.rsplit(quote).next().map(str::to_owned),
            _ => before
                .rsplit(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$' | '-')))
                .next()
                .map(str::to_owned),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_are_read_however_the_rest_is_written() {
        let deep = format!(r#"{{"a":{}{},"_method":1}}"#, "[".repeat(5000), "]".repeat(5000));
        for text in [
            r#"{"a":1,"_method":"DELETE"}"#,
            r#"{"\u005fmethod":1}"#,
            r#"[1,{"_method":1}]"#,
            r#"{"_method":1,"_method":2}"#,
            r#"{"_method":1} and more"#,
            r#"{"_method":1}{"a":1}"#,
            r#"{"a":1,"_method":1,}"#,
            r#"{"a":[1,],"_method":1}"#,
            "{'_method':'DELETE'}",
            "{_method: 1}",
            "{/* a */ \"_method\" : 1}",
            "{\"a\": NaN, \"_method\": 1}",
            "{\"a\":\"b\nc\",\"_method\":1}",
            deep.as_str(),
        ] {
            assert!(names(text).iter().any(|name| name == "_method"), "{}", text.get(..40).unwrap_or(text));
        }
        assert_eq!(names(r#"{"a":{"_method":1},"b":["_method"]}"#), ["a", "b"]);
        assert_eq!(names("1"), Vec::<String>::new());
        assert_eq!(names(""), Vec::<String>::new());
    }
}
