//! Finding the strings of a JSON text where they stand, so that single ones can be replaced and all else stays as it is:
//! the order of members, numbers of any length, members of the same name.

use std::ops::Range;
use std::rc::Rc;

use serde::de::IgnoredAny;

/// A string or number of a JSON text.
#[derive(Debug, PartialEq)]
pub(super) struct Scalar<'w> {
    /// Range of the scalar in the text, quotes included.
    pub(super) place: Range<usize>,
    pub(super) kind: ScalarKind<'w>,
}

/// The kind of a [`Scalar`].
#[derive(Debug, PartialEq)]
pub(super) enum ScalarKind<'w> {
    /// The name of a member.
    Name,
    /// A number, in its spelling.
    Number,
    /// A string that is a value.
    String {
        /// The JSON pointer that leads to it.
        pointer: &'w str,
        /// The name of the member whose value it is, or in whose array it stands.
        member: Option<&'w str>,
    },
}

/// Shows all scalars of a JSON text, in the order in which they stand there. `None` if it is not JSON.
pub(super) fn visit(text: &str, mut visitor: impl FnMut(Scalar<'_>)) -> Option<()> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    // The text is checked by a parser that is strict (and bounds the depth); the walk below relies on that.
    serde_json::from_str::<IgnoredAny>(text.get(start..)?).ok()?;
    let mut walk = Walk { text, at: start, frames: Vec::with_capacity(8), pointer: String::with_capacity(64) };
    while walk.step(&mut visitor)? {}
    Some(())
}

/// The text that a JSON string says.
pub(super) fn decode(quoted: &str) -> Option<String> {
    serde_json::from_str(quoted).ok()
}

struct Frame<'t> {
    /// Length of the pointer that leads to this object or array.
    pointer_length: usize,
    /// The member that is being read, or in whose array we are.
    member: Option<Name<'t>>,
    kind: FrameKind,
}

/// The name of a member.
#[derive(Clone)]
enum Name<'t> {
    /// As it is in the text.
    Written(&'t str),
    /// Without its escapes. Shared, since arrays nest.
    Decoded(Rc<str>),
}

impl Name<'_> {
    fn as_str(&self) -> &str {
        match self {
            Name::Written(name) => name,
            Name::Decoded(name) => name,
        }
    }
}

enum FrameKind {
    /// A name comes next.
    ObjectBeforeName,
    ObjectAfterName,
    Array {
        index: usize,
    },
}

/// Every step costs what it reads and no more, at any depth: responses are untrusted.
struct Walk<'t> {
    text: &'t str,
    at: usize,
    frames: Vec<Frame<'t>>,
    pointer: String,
}

impl<'t> Walk<'t> {
    /// Takes the next token. `None` if the text is not what the parser said it is.
    fn step(&mut self, visitor: &mut impl FnMut(Scalar<'_>)) -> Option<bool> {
        let Some(&byte) = self.text.as_bytes().get(self.at) else {
            return Some(false);
        };
        match byte {
            b'{' => self.enter(FrameKind::ObjectBeforeName),
            b'[' => self.enter(FrameKind::Array { index: 0 }),
            b'}' | b']' => {
                let frame = self.frames.pop()?;
                self.pointer.truncate(frame.pointer_length);
            }
            b',' => {
                let frame = self.frames.last_mut()?;
                self.pointer.truncate(frame.pointer_length);
                match &mut frame.kind {
                    FrameKind::Array { index } => {
                        *index += 1;
                        self.pointer.push_str(&format!("/{index}"));
                    }
                    kind => *kind = FrameKind::ObjectBeforeName,
                }
            }
            b'"' => {
                let place = self.at..self.end_of_string()?;
                self.at = place.end;
                visitor(self.string(place)?);
                return Some(true);
            }
            b'-' | b'0'..=b'9' => {
                let rest = self.text.as_bytes().get(self.at..)?;
                let number = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
                let place = self.at..self.at + rest.iter().take_while(|b| number(b)).count();
                self.at = place.end;
                visitor(Scalar { place, kind: ScalarKind::Number });
                return Some(true);
            }
            // White space, `:`, and the letters of true, false and null.
            _ => {}
        }
        self.at += 1;
        Some(true)
    }

    fn enter(&mut self, kind: FrameKind) {
        let (pointer_length, mut member) = (self.pointer.len(), None);
        if matches!(kind, FrameKind::Array { .. }) {
            member = self.frames.last().and_then(|frame| frame.member.clone());
            self.pointer.push_str("/0");
        }
        self.frames.push(Frame { pointer_length, member, kind });
    }

    fn end_of_string(&self) -> Option<usize> {
        let mut at = self.at + 1;
        loop {
            match self.text.as_bytes().get(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }

    fn string(&mut self, place: Range<usize>) -> Option<Scalar<'_>> {
        if let Some(frame @ Frame { kind: FrameKind::ObjectBeforeName, .. }) = self.frames.last_mut() {
            let name = name(self.text.get(place.clone())?)?;
            self.pointer.push('/');
            for c in name.as_str().chars() {
                match c {
                    '~' => self.pointer.push_str("~0"),
                    '/' => self.pointer.push_str("~1"),
                    c => self.pointer.push(c),
                }
            }
            frame.member = Some(name);
            frame.kind = FrameKind::ObjectAfterName;
            return Some(Scalar { place, kind: ScalarKind::Name });
        }
        let member = self.frames.last().and_then(|frame| frame.member.as_ref()).map(Name::as_str);
        Some(Scalar { place, kind: ScalarKind::String { pointer: &self.pointer, member } })
    }
}

/// The name that a JSON string says.
fn name(quoted: &str) -> Option<Name<'_>> {
    if quoted.contains('\\') {
        return decode(quoted).map(|name| Name::Decoded(name.into()));
    }
    quoted.strip_prefix('"')?.strip_suffix('"').map(Name::Written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn strings(text: &str) -> Vec<(String, Option<String>, String)> {
        let mut strings = Vec::new();
        let visited = visit(text, |scalar| {
            if let ScalarKind::String { pointer, member } = scalar.kind {
                strings.push((pointer.to_owned(), member.map(str::to_owned), decode(&text[scalar.place]).unwrap()));
            }
        });
        visited.unwrap();
        strings
    }

    #[test]
    fn strings_are_found_with_their_pointers() {
        let text = r#" { "a" : "1", "b/c~d": [ "2", {"e\"": "3\\"}, [], ["4"] ], "n": -1.5e+3, "t": true, "": null, "a": "5" } "#;
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(
            strings(text),
            [
                ("/a".to_owned(), some("a"), "1".to_owned()),
                ("/b~1c~0d/0".to_owned(), some("b/c~d"), "2".to_owned()),
                ("/b~1c~0d/1/e\"".to_owned(), some("e\""), "3\\".to_owned()),
                ("/b~1c~0d/3/0".to_owned(), some("b/c~d"), "4".to_owned()),
                ("/a".to_owned(), some("a"), "5".to_owned()),
            ]
        );
        assert_eq!(strings("\"x\""), [(String::new(), None, "x".to_owned())]);
        assert_eq!(strings("\u{feff}{\"a\":\"b\"}"), [("/a".to_owned(), some("a"), "b".to_owned())]);
    }

    #[test]
    fn what_is_not_json_has_none() {
        for text in ["", "{", "{}x", "{'a':1}", "<html>", "{\"a\":\"\n\"}", &"[".repeat(5000)] {
            assert_eq!(visit(text, |_| ()), None, "{text:?}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,5}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_pointer_leads_to_its_string(value in json()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                for (pointer, _, string) in strings(&text) {
                    prop_assert_eq!(value.pointer(&pointer).and_then(Value::as_str), Some(string.as_str()));
                }
            }
        }
    }
}
