//! Characters around and inside of PEM as it is pasted.

use crate::invisible::is_invisible;

/// Characters of a line of base64 (RFC 7468, section 2).
pub(super) const LINE: usize = 64;

pub(super) fn is_blank(c: char) -> bool {
    c == ' ' || is_invisible(c)
}

pub(super) fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '\u{2018}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '\u{FF02}' | '\u{FF07}')
}

pub(super) fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}')
}
