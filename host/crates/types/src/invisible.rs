//! Characters that a person cannot see: blanks other than the space, and characters that are not drawn at all.
//!
//! Spreadsheets, chat programs and web pages leave them in what is copied out of them. Two texts that look the same are then
//! different keys, ids or names.

use std::fmt;

/// A character that cannot be seen. It is shown by its code point, and where it is a common one by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvisibleCharacter(char);

impl InvisibleCharacter {
    /// The first one in a text.
    ///
    /// ```
    /// use keyferry_types::invisible::InvisibleCharacter;
    /// let found = InvisibleCharacter::first_in("user_1\u{200b}").unwrap();
    /// assert_eq!(found.to_string(), "U+200B (zero width space)");
    /// assert!(InvisibleCharacter::first_in("jane doe").is_none());
    /// ```
    pub fn first_in(text: &str) -> Option<Self> {
        text.chars().find(|c| is_invisible(*c)).map(Self)
    }
}

/// Whether a character cannot be seen: a control character, white space other than the space, or a character that Unicode
/// lists as `Default_Ignorable_Code_Point` (<https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>).
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

impl fmt::Display for InvisibleCharacter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "U+{:04X}", u32::from(self.0))?;
        let name = match self.0 {
            '\t' => "tab",
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => "line break",
            '\0' => "null",
            '\u{A0}' => "no-break space",
            '\u{AD}' => "soft hyphen",
            '\u{200B}' => "zero width space",
            '\u{200C}' => "zero width non-joiner",
            '\u{200D}' => "zero width joiner",
            '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{61C}' => "text direction",
            '\u{2060}' => "word joiner",
            '\u{FEFF}' => "byte order mark",
            _ => return Ok(()),
        };
        write!(f, " ({name})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_is_not_found() {
        for text in ["", "user_1", "a b", "jäne@example.com", "名前", "مفتاح", "\u{1F511}", "a\u{301}"] {
            assert_eq!(InvisibleCharacter::first_in(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_found_wherever_it_stands() {
        for (c, shown) in [
            ('\u{A0}', "U+00A0 (no-break space)"),
            ('\u{AD}', "U+00AD (soft hyphen)"),
            ('\u{200B}', "U+200B (zero width space)"),
            ('\u{200D}', "U+200D (zero width joiner)"),
            ('\u{2003}', "U+2003"),
            ('\u{2060}', "U+2060 (word joiner)"),
            ('\u{202E}', "U+202E (text direction)"),
            ('\u{3000}', "U+3000"),
            ('\u{FEFF}', "U+FEFF (byte order mark)"),
            ('\u{E0041}', "U+E0041"),
            ('\t', "U+0009 (tab)"),
            ('\u{1B}', "U+001B"),
        ] {
            for text in [format!("{c}user"), format!("us{c}er"), format!("user{c}")] {
                assert_eq!(InvisibleCharacter::first_in(&text).unwrap().to_string(), shown, "{text:?}");
            }
        }
    }
}
