//! The texts that a field accepts: characters, length, kind and pattern.

use super::model::{Field, FieldKind, Secrecy};
use super::quotes::curly_quote;
use super::tidy;
use super::violation::{FieldViolation, ViolationCode};
use keyferry_types::invisible::{InvisibleCharacter, is_invisible};

impl Field {
    /// Rejects characters that secrets do not contain: a key with one of them is not the key that was issued. In a value that is
    /// not secret, it rejects invisible characters: with them, two ids that look the same differ.
    pub(super) fn check_characters(&self, text: &str) -> Result<(), FieldViolation> {
        let forbidden = |message: String| Err((ViolationCode::ForbiddenCharacter, message));
        let unseen = |found: InvisibleCharacter| {
            forbidden(format!(
                "holds the invisible character {found}; remove it, or copy the value anew from where it was issued"
            ))
        };
        if self.secrecy == Secrecy::Plain {
            let is_found = |c: &char| is_invisible(*c) && !c.is_control();
            let found = text.chars().find(is_found).filter(|_| self.spec.kind != FieldKind::Multiline);
            return match found.and_then(|c| InvisibleCharacter::first_in(c.encode_utf8(&mut [0; 4]))) {
                Some(found) => unseen(found),
                None => Ok(()),
            };
        }
        if tidy::is_only_a_scheme(text) {
            return Err((ViolationCode::Empty, "holds the word `Bearer` and no token behind it".to_owned()));
        }
        if self.spec.kind == FieldKind::Multiline {
            let is_found = |c: &char| is_invisible(*c) && !matches!(c, '\n' | '\r' | '\t');
            let found = text.chars().find(is_found).and_then(|c| InvisibleCharacter::first_in(&c.to_string()));
            return match found {
                Some(found) => forbidden(format!("holds the invisible character {found}; copy the value anew")),
                None => Ok(()),
            };
        }
        if let Some(found) = InvisibleCharacter::first_in(text) {
            return if text.contains(['\n', '\r']) {
                forbidden(format!("must be a single line, and holds {found}; check for a stray line break"))
            } else {
                unseen(found)
            };
        }
        match text.chars().find_map(|c| curly_quote(c).map(|name| (c, name))) {
            Some((c, name)) => forbidden(format!(
                "holds the curly quote U+{:04X} ({name}), which word processors put in the place of a straight one; copy the \
                 value anew from where it was issued",
                u32::from(c)
            )),
            None => Ok(()),
        }
    }

    /// Checks length, kind and pattern.
    pub(super) fn check_text(&self, text: &str) -> Result<(), FieldViolation> {
        let wrong = |code, message: &str| Err((code, message.to_owned()));
        if text.is_empty() {
            return wrong(ViolationCode::Empty, "must not be empty");
        }
        if self.spec.kind != FieldKind::Multiline && text.chars().any(char::is_control) {
            return wrong(
                ViolationCode::PatternMismatch,
                "must be a single line without control characters (check for a stray line break)",
            );
        }
        let chars = text.chars().count();
        if let Some(min) = self.spec.min_length.filter(|min| chars < *min as usize) {
            return Err((ViolationCode::TooShort, format!("is too short: at least {min} characters are needed")));
        }
        if let Some(max) = self.spec.max_length.filter(|max| chars > *max as usize) {
            return Err((ViolationCode::TooLong, format!("is too long: at most {max} characters are possible")));
        }
        match self.spec.kind {
            FieldKind::Text | FieldKind::Multiline => {}
            FieldKind::Number if text.parse::<f64>().is_ok_and(f64::is_finite) => {}
            FieldKind::Number => return wrong(ViolationCode::WrongType, "must be a number"),
            FieldKind::Boolean if matches!(text, "true" | "false") => {}
            FieldKind::Boolean => return wrong(ViolationCode::WrongType, "must be `true` or `false`"),
            FieldKind::Url if url::Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host()) => {}
            FieldKind::Url => return wrong(ViolationCode::WrongType, "must be an absolute https URL"),
            FieldKind::Select if self.spec.options.iter().any(|option| option.value == text) => {}
            FieldKind::Select => {
                let options = self.spec.options.iter().map(|o| o.value.as_str()).collect::<Vec<_>>().join(", ");
                return Err((ViolationCode::NotAnOption, format!("must be one of {options}")));
            }
        }
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            let _ = pattern;
            let pattern = self.spec.pattern.as_deref().unwrap_or_default();
            let example = self.spec.example.as_deref().filter(|example| !example.contains('\n'));
            let example = example.map(|example| format!(", such as {example}")).unwrap_or_default();
            return Err((ViolationCode::PatternMismatch, format!("must match {pattern}{example}")));
        }
        Ok(())
    }
}
