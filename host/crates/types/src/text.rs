//! Texts that a plugin chose and people read: on terminals, in logs, in forms.

/// Whether a text may have several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// A single line: line breaks are refused.
    One,
    /// Several, as an example of a private key has.
    Several,
}

/// Whether a character does something else than to be shown: it controls a terminal, ends a line, or turns the direction of
/// what follows, so that a text reads as another one (Unicode Technical Report 36, 2.8).
pub fn is_unfit(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether all of a text can be shown.
pub fn is_fit(text: &str, lines: Lines) -> bool {
    !text.chars().any(|c| is_unfit(c) && !(c == '\n' && lines == Lines::Several))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_or_turns_a_text_around_is_unfit() {
        let one = ["API key", "Schlüssel \u{1F511}", "مفتاح", "", "<b>", "a\u{200d}b"];
        assert!(one.iter().all(|text| is_fit(text, Lines::One)));
        let unfit = ["\u{1b}[2J", "a\rb", "\u{202e}topsbuh", "a\u{2028}b", "\u{9b}31m", "\u{7f}", "\0", "\u{2066}a"];
        for text in unfit {
            assert!(!is_fit(text, Lines::One) && !is_fit(text, Lines::Several), "{text:?}");
        }
        assert!(!is_fit("a\nb", Lines::One));
        assert!(is_fit("-----BEGIN\n", Lines::Several));
    }
}
