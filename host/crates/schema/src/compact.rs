//! An [`Input`] as text whose length does not depend on the characters of its strings.
//!
//! JSON writes a quote or a line break as two characters and a control character as six, so that a credential of the
//! greatest size could be too large as JSON. Here each string is preceded by its length and is written without escapes:
//!
//! ```text
//! text   = "=" value
//! value  = "n" | "t" | "f" | "d" string | "s" string | "a" count value* | "o" count ( string value )*
//! string = bytes ":" text       count = number ":"       bytes, number = decimal digits
//! ```
//! No JSON begins with `=`, which distinguishes this form from rows that were written as JSON.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::input::{Input, MAX_DEPTH};
use keyferry_types::secret::{Secret, SharedSecret};

/// First character of the text.
const MARK: &str = "=";

impl Input {
    /// The value as compact text, in one buffer that never moves.
    pub fn to_compact(&self) -> Secret {
        let mut text = Zeroizing::new(String::with_capacity(MARK.len() + length(self)));
        text.push_str(MARK);
        write(self, &mut text);
        Secret::new(std::mem::take(&mut *text))
    }

    /// Reads compact text. `None` where it is not: anything but what [`to_compact`](Self::to_compact) writes.
    pub fn from_compact(text: &str) -> Option<Self> {
        let mut rest = Reader(text.strip_prefix(MARK)?);
        let value = rest.value(0)?;
        rest.0.is_empty().then_some(value)
    }
}

fn length(value: &Input) -> usize {
    let string = |text: &str| digits(text.len()) + 1 + text.len();
    1 + match value {
        Input::Null | Input::Bool(_) => 0,
        Input::Number(text) | Input::Text(text) => string(text.expose()),
        Input::Array(items) => digits(items.len()) + 1 + items.iter().map(length).sum::<usize>(),
        Input::Object(members) => {
            let members_length: usize = members.iter().map(|(name, value)| string(name) + length(value)).sum();
            digits(members.len()) + 1 + members_length
        }
    }
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn write(value: &Input, out: &mut String) {
    let tagged = |tag: char, number: usize, out: &mut String| {
        // Writing to a `String` does not fail.
        let _ = write!(out, "{tag}{number}:");
    };
    match value {
        Input::Null => out.push('n'),
        Input::Bool(true) => out.push('t'),
        Input::Bool(false) => out.push('f'),
        Input::Number(text) => {
            tagged('d', text.len(), out);
            out.push_str(text.expose());
        }
        Input::Text(text) => {
            tagged('s', text.len(), out);
            out.push_str(text.expose());
        }
        Input::Array(items) => {
            tagged('a', items.len(), out);
            items.iter().for_each(|item| write(item, out));
        }
        Input::Object(members) => {
            tagged('o', members.len(), out);
            for (name, value) in members {
                let _ = write!(out, "{}:", name.len());
                out.push_str(name);
                write(value, out);
            }
        }
    }
}

/// The text that is left to read.
struct Reader<'t>(&'t str);

impl<'t> Reader<'t> {
    fn value(&mut self, depth: usize) -> Option<Input> {
        if depth > MAX_DEPTH {
            return None;
        }
        let (tag, rest) = self.0.split_at_checked(1)?;
        self.0 = rest;
        Some(match tag {
            "n" => Input::Null,
            "t" => Input::Bool(true),
            "f" => Input::Bool(false),
            "d" => Input::Number(SharedSecret::new(Secret::new(self.string()?))),
            "s" => Input::Text(SharedSecret::new(Secret::new(self.string()?))),
            "a" => {
                let count = self.number()?;
                // Each item takes at least one byte: a count that is too large ends with the text.
                Input::Array((0..count).map(|_| self.value(depth + 1)).collect::<Option<_>>()?)
            }
            "o" => {
                let count = self.number()?;
                let member = |_| Some((self.string()?.to_owned(), self.value(depth + 1)?));
                Input::Object((0..count).map(member).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<usize> {
        let (number, rest) = self.0.split_once(':')?;
        self.0 = rest;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok()).flatten()
    }

    fn string(&mut self) -> Option<&'t str> {
        let length = self.number()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(json: &str) -> Input {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_kind_of_value_reads_back_as_it_was() {
        for json in [
            "null",
            "true",
            "false",
            "42",
            "-1.5e300",
            r#""""#,
            r#""a:b=\"\\\n\u0001é\ud83d\udd11""#,
            "[]",
            "{}",
            r#"{"keybased":{"api_key":"x","":[null,true,{"b":"2"},[1]]}}"#,
        ] {
            let value = parse(json);
            let text = value.to_compact();
            let back = Input::from_compact(text.expose()).unwrap();
            assert_eq!(*back.to_json().unwrap(), *value.to_json().unwrap(), "{json}");
        }
    }

    #[test]
    fn the_length_does_not_depend_on_what_a_string_holds() {
        for text in ["\"", "\\", "\n", "\u{1}", "a"] {
            let value = Input::Text(SharedSecret::new(Secret::new(text.repeat(1000))));
            assert_eq!(value.to_compact().len(), "=s1000:".len() + 1000, "{text:?}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        let deep = format!("={}n", "a1:".repeat(MAX_DEPTH + 2));
        for text in [
            "",
            "=",
            "n",
            "{}",
            "=x",
            "=nn",
            "=s",
            "=s1",
            "=s2:a",
            "=s+1:a",
            "=s1:é",
            "=a2:n",
            "=o1:1:a",
            "=a99999999999999999999:",
            "=a18446744073709551615:n",
            &deep,
        ] {
            assert!(Input::from_compact(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "=[ntfdsao0-9:x]{0,40}") {
            let _ = Input::from_compact(&text);
        }
    }
}
