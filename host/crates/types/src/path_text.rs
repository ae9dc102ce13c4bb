//! File names as text for people: a name can hold any byte but `/` and NUL, and a terminal, a log and a list display
//! it.

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use crate::invisible::is_invisible;
use crate::text::is_unfit;

/// A name or path whose `Display` is one line without anything that controls a terminal, turns text around or cannot be seen.
///
/// Control characters, line breaks, invisible characters and such that change the direction of text are written as `\u{202e}`, bytes
/// that are not UTF-8 as `\xff`, and `\` as `\\`, so that no two names are shown alike.
#[derive(Debug, Clone, Copy)]
pub struct PathText<'a>(&'a OsStr);

/// Names that can be shown.
pub trait ShowPath {
    /// The name as text for people.
    fn shown(&self) -> PathText<'_>;
}

impl ShowPath for Path {
    fn shown(&self) -> PathText<'_> {
        PathText(self.as_os_str())
    }
}

impl ShowPath for OsStr {
    fn shown(&self) -> PathText<'_> {
        PathText(self)
    }
}

impl PathText<'_> {
    /// Whether the name is shown as it is.
    pub fn is_plain(self) -> bool {
        self.0.to_str().is_some_and(|name| !name.chars().any(is_escaped))
    }
}

fn is_escaped(c: char) -> bool {
    c == '\\' || is_unfit(c) || is_invisible(c)
}

impl fmt::Display for PathText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_encoded_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    c if is_escaped(c) => write!(f, "{}", c.escape_unicode())?,
                    c => f.write_char(c)?,
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

/// Writes a path for programs as [`ShowPath::shown`] has it: one that is not UTF-8 has no other form in JSON.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: serde::Serializer>(path: impl AsRef<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.as_ref().shown())
}

/// Reads what [`serialize`] wrote.
///
/// # Errors
/// Those of the deserializer.
pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(deserializer)?;
    Ok(PathBuf::from(OsString::from_vec(unescaped(&text))))
}

/// The bytes of a name that was shown. What is no escape stands for itself.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (meant, taken) = escape(after).unwrap_or((vec![b'\\'], 0));
        bytes.extend(meant);
        rest = after.get(taken..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// The decoded bytes of an escape, and the number of bytes that it has after its backslash.
fn escape(after: &str) -> Option<(Vec<u8>, usize)> {
    let simple = |byte: u8| Some((vec![byte], 1));
    match after.chars().next()? {
        '\\' => simple(b'\\'),
        'n' => simple(b'\n'),
        'r' => simple(b'\r'),
        't' => simple(b'\t'),
        'x' => Some((vec![u8::from_str_radix(after.get(1..3)?, 16).ok()?], 3)),
        'u' => {
            let (digits, _) = after.get(1..)?.strip_prefix('{')?.split_once('}')?;
            let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            Some((c.to_string().into_bytes(), digits.len() + 3))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn a_name_is_shown_in_one_line_that_controls_nothing() {
        for (name, shown) in [
            (&b"acme.wasm"[..], "acme.wasm"),
            ("/tmp/büro/キー.wasm".as_bytes(), "/tmp/büro/キー.wasm"),
            (b"a\x1b[31mred.wasm", "a\\u{1b}[31mred.wasm"),
            (b"a\nb\r\tc", "a\\nb\\r\\tc"),
            (b"a\x07\x08\x7f", "a\\u{7}\\u{8}\\u{7f}"),
            ("a\u{202e}msaw.b".as_bytes(), "a\\u{202e}msaw.b"),
            ("a\u{2066}\u{200b}\u{feff}\u{9b}\u{2028}".as_bytes(), "a\\u{2066}\\u{200b}\\u{feff}\\u{9b}\\u{2028}"),
            (b"a\xff\xfe.wasm", "a\\xff\\xfe.wasm"),
            (b"a\xe2\x28", "a\\xe2("),
            (b"a\\xff", "a\\\\xff"),
            (b"", ""),
        ] {
            let name = OsStr::from_bytes(name);
            assert_eq!(name.shown().to_string(), shown);
            assert_eq!(name.shown().is_plain(), name.to_str() == Some(shown), "{shown}");
            assert_eq!(unescaped(shown), name.as_bytes(), "{shown}");
        }
    }
}
