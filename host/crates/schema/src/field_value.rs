//! Reads one value of a credential. A value as sent is tidied and a time is converted to milliseconds; a stored value is not
//! changed.

use super::choice::chosen;
use super::input::Input;
use super::model::{Field, FieldKind, Necessity, Secrecy};
use super::number_meaning::NumberMeaning;
use super::tidy::{self, Removed, Text};
use super::violation::{FieldViolation, ViolationCode};
use super::web_address::with_scheme;
use keyferry_types::moment::{Exactness, Moment};
use keyferry_types::secret::{Secret, SharedSecret};

/// The origin of a value: a caller's request, or the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// From a caller or a file.
    Sent,
    /// From the store: it was read once.
    Stored,
}

/// A value that fits its field.
pub(super) struct Read {
    pub(super) value: SharedSecret,
    /// The corrections of the value, for the credential's warnings.
    pub(super) warning: Option<String>,
}

impl Read {
    /// Another value in the place of this one, and what was changed.
    fn changed(self, value: Secret, warning: Option<String>) -> Self {
        let warning = match (self.warning, warning) {
            (Some(one), Some(other)) => Some(format!("{one}; {other}")),
            (one, other) => one.or(other),
        };
        Self { value: SharedSecret::new(value), warning }
    }
}

impl Field {
    /// The value of this field; nothing where it is absent and may be.
    pub(super) fn read(&self, sent: Option<&Input>, source: Source) -> Result<Option<Read>, FieldViolation> {
        let value = match sent {
            None | Some(Input::Null) => return self.absent("is required"),
            Some(Input::Text(text)) => SharedSecret::clone(text),
            Some(Input::Number(digits)) if self.spec.kind == FieldKind::Number => SharedSecret::clone(digits),
            Some(Input::Bool(value)) if self.spec.kind == FieldKind::Boolean => {
                SharedSecret::new(Secret::new(value.to_string()))
            }
            Some(other) => {
                let message = format!("must be a string, and is {}", other.kind());
                return Err((ViolationCode::WrongType, message));
            }
        };
        let read = match source {
            Source::Stored => Read { value, warning: None },
            Source::Sent => {
                let read = self.tidied(value);
                if read.value.is_empty() {
                    return self.absent("is required, and is empty");
                }
                self.check_characters(read.value.expose())?;
                let meaning = (self.spec.kind == FieldKind::Number).then(|| self.number_meaning());
                match (self.spec.kind, meaning) {
                    (FieldKind::Number, Some(NumberMeaning::Moment)) => self.moment(read)?,
                    (FieldKind::Number, Some(NumberMeaning::Duration)) if read.value.expose().starts_with('-') => {
                        let message = "must be a number of seconds, and must not be negative".to_owned();
                        return Err((ViolationCode::WrongType, message));
                    }
                    (FieldKind::Select, _) => match chosen(&self.spec.options, read.value.expose()) {
                        Some(option) if option != read.value.expose() => {
                            let warning = format!("`{}` was taken as {option}", self.name);
                            read.changed(Secret::new(option), Some(warning))
                        }
                        _ => read,
                    },
                    (FieldKind::Url, _) => match with_scheme(read.value.expose()) {
                        Some(address) => {
                            let warning = format!("`{}` was taken with `https://` before it", self.name);
                            read.changed(Secret::new(address.as_str()), Some(warning))
                        }
                        None => read,
                    },
                    _ => read,
                }
            }
        };
        self.check_text(read.value.expose())?;
        Ok(Some(read))
    }

    /// The result for an absent value: the default, nothing, or a violation.
    fn absent(&self, otherwise: &str) -> Result<Option<Read>, FieldViolation> {
        match (&self.spec.default, self.necessity) {
            (Some(default), _) => {
                Ok(Some(Read { value: SharedSecret::new(Secret::new(default.as_str())), warning: None }))
            }
            (None, Necessity::Optional) => Ok(None),
            (None, Necessity::Required) => Err((ViolationCode::Missing, otherwise.to_owned())),
        }
    }

    fn tidied(&self, value: SharedSecret) -> Read {
        let rewritten = {
            let tidied = match self.secrecy {
                Secrecy::Plain => tidy::plain(value.expose()),
                Secrecy::Secret => tidy::secret(value.expose(), self.spec.kind),
            };
            Removed::warning(self.name.as_str(), &tidied.removed).map(|warning| {
                let value = match tidied.text {
                    Text::Part(text) => Secret::new(text),
                    Text::Rewritten(mut text) => Secret::new(std::mem::take(&mut *text)),
                };
                Read { value: SharedSecret::new(value), warning: Some(warning) }
            })
        };
        rewritten.unwrap_or(Read { value, warning: None })
    }

    /// The moment that a number means, in milliseconds unless it is written in digits alone.
    fn moment(&self, read: Read) -> Result<Read, FieldViolation> {
        let text = read.value.expose();
        let moment = Moment::read(text).map_err(|error| (ViolationCode::WrongType, error.to_string()))?;
        if moment.millis < EARLIEST {
            let message = "must be a time, and as one it is before the year 2000; leave it out where there is no end, and give the \
                           moment where it is a duration";
            return Err((ViolationCode::WrongType, message.to_owned()));
        }
        let name = &self.name;
        let lost = match moment.exactness {
            Exactness::Exact => None,
            Exactness::SupposedUtc => Some(format!("`{name}` has no offset from UTC, and was read as UTC")),
            Exactness::Minutes(minutes) => Some(format!(
                "`{name}` is a number that a spreadsheet has shortened, and is exact to {minutes} minutes only"
            )),
        };
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(read);
        }
        Ok(read.changed(Secret::new(moment.millis.to_string()), lost))
    }
}

/// Milliseconds of 2000-01-01T00:00:00Z. A smaller number is a duration or a placeholder, not the end of a token.
const EARLIEST: u64 = 946_684_800_000;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{AuthSchema, AuthTypeSpec, Choice, Credential, FieldKind, FieldSpec, Violations};

    fn app() -> AuthSchema {
        let spec = |name: &str| FieldSpec { name: name.into(), ..FieldSpec::default() };
        let fields = vec![
            FieldSpec { required: true, ..spec("subdomain") },
            FieldSpec { required: true, secret: true, hint: Some("^sk_".into()), ..spec("api_key") },
            FieldSpec { secret: true, kind: FieldKind::Multiline, ..spec("private_key") },
            FieldSpec { secret: true, ..spec("refresh_token") },
            FieldSpec { kind: FieldKind::Number, ..spec("expires_at") },
            FieldSpec { kind: FieldKind::Number, ..spec("expires_in") },
            FieldSpec { kind: FieldKind::Number, ..spec("limit") },
            FieldSpec { kind: FieldKind::Boolean, ..spec("sandbox") },
            FieldSpec { kind: FieldKind::Url, ..spec("base_url") },
            FieldSpec { default: Some("eu".into()), ..spec("region") },
            FieldSpec {
                kind: FieldKind::Select,
                options: vec![Choice { value: "datadoghq.eu".into(), label: "EU1 (EU)".into() }],
                ..spec("site")
            },
        ];
        AuthSchema::parse(vec![AuthTypeSpec { name: "keybased".into(), fields, ..AuthTypeSpec::default() }]).unwrap()
    }

    fn with(field: &str, value: Value) -> Result<Credential, Violations> {
        let mut fields = json!({ "subdomain": "acme", "api_key": "sk_1" });
        fields[field] = value;
        app().validate(&serde_json::from_value(json!({ "keybased": fields })).unwrap())
    }

    fn value(credential: &Credential, field: &str) -> Option<String> {
        let found = credential.fields.iter().find(|one| one.name.as_str() == field)?;
        Some(found.value.expose().to_owned())
    }

    #[test]
    fn a_moment_in_any_form_becomes_one_that_every_plugin_reads() {
        for (sent, read, warning) in [
            (json!(1_798_761_599), "1798761599", ""),
            (json!("1798761599"), "1798761599", ""),
            (json!(" 1798761599000 "), "1798761599000", "without the blanks around it"),
            (json!(1_798_761_599.5), "1798761599500", ""),
            (json!("2026-12-31T23:59:59Z"), "1798761599000", ""),
            (json!("2027-01-01t01:59:59+02:00"), "1798761599000", ""),
            (json!("2026-12-31 23:59:59"), "1798761599000", "no offset from UTC"),
            (json!("1.79876E+12"), "1798760000000", "exact to 167 minutes only"),
        ] {
            let credential = with("expires_at", sent.clone()).unwrap_or_else(|error| panic!("{sent}: {error}"));
            assert_eq!(value(&credential, "expires_at").as_deref(), Some(read), "{sent}");
            assert_eq!(credential.warnings.len(), usize::from(!warning.is_empty()), "{sent}");
            assert!(credential.warnings.join("").contains(warning), "{sent}: {:?}", credential.warnings);
            assert_eq!(
                credential.expires_at().map(|millis| millis / 1000),
                Some(read[..10].parse().unwrap()),
                "{sent}"
            );
        }
        for (sent, reason) in [
            (json!(-1), "RFC 3339"),
            (json!("-1"), "RFC 3339"),
            (json!("NaN"), "RFC 3339"),
            (json!("soon"), "RFC 3339"),
            (json!("2026-12-31"), "RFC 3339"),
            (json!(1e300), "RFC 3339"),
            (json!("1.8E+12"), "shortened"),
            (json!(0), "before the year 2000"),
            (json!(3600), "before the year 2000"),
            (json!(true), "must be a string, and is a boolean"),
        ] {
            let error = with("expires_at", sent.clone()).unwrap_err().to_string();
            assert!(error.contains("auth_object.keybased.expires_at ") && error.contains(reason), "{sent}: {error}");
        }
    }

    #[test]
    fn other_numbers_are_numbers() {
        for (field, sent, is_one) in [
            ("expires_in", json!("3600"), true),
            ("expires_in", json!(" 3600.5\n"), true),
            ("expires_in", json!(-1), false),
            ("expires_in", json!("-1"), false),
            ("limit", json!("-1"), true),
            ("limit", json!("1e3"), true),
            ("limit", json!("NaN"), false),
            ("limit", json!("inf"), false),
        ] {
            assert_eq!(with(field, sent.clone()).is_ok(), is_one, "{field} {sent}");
        }
    }

    #[test]
    fn an_empty_value_is_an_absent_one() {
        for empty in [json!(""), json!("  "), json!("\u{200b}\n"), json!(null)] {
            for field in ["private_key", "refresh_token", "expires_at", "expires_in", "sandbox", "base_url"] {
                let credential = with(field, empty.clone()).unwrap_or_else(|error| panic!("{field}: {error}"));
                assert_eq!(value(&credential, field), None, "{field}");
                assert!(credential.warnings.is_empty());
            }
            assert_eq!(value(&with("region", empty.clone()).unwrap(), "region").as_deref(), Some("eu"));
            for field in ["subdomain", "api_key"] {
                let wrong = with(field, empty.clone()).unwrap_err();
                assert_eq!(wrong.list().first().unwrap().code.as_str(), "missing", "{field} {empty}");
            }
        }
        assert_eq!(value(&with("refresh_token", json!("\"\"")).unwrap(), "refresh_token"), None);
    }

    #[test]
    fn what_is_verified_and_stored_has_nothing_around_it_and_that_is_told() {
        let credential = with("api_key", json!("\u{201c}Bearer sk_2\u{a0}\u{201d}\n")).unwrap();
        assert_eq!(value(&credential, "api_key").as_deref(), Some("sk_2"));
        let told = "`api_key` was taken without the blanks around it, without the quotes around it, without `Bearer` before it";
        assert_eq!(credential.warnings, [told]);
        assert_eq!(value(&with("subdomain", json!(" acme\u{feff}")).unwrap(), "subdomain").as_deref(), Some("acme"));
        assert_eq!(value(&with("sandbox", json!("true ")).unwrap(), "sandbox").as_deref(), Some("true"));
        let url = with("base_url", json!(" https://acme.example ")).unwrap();
        assert_eq!(value(&url, "base_url").as_deref(), Some("https://acme.example"));
    }

    #[test]
    fn an_address_gets_the_scheme_that_it_was_pasted_without_and_that_is_told() {
        for (sent, read, warning) in [
            ("https://acme.example/x", "https://acme.example/x", ""),
            ("HTTPS://Acme.example", "HTTPS://Acme.example", ""),
            ("acme.example", "https://acme.example", "`base_url` was taken with `https://` before it"),
            (
                "//Acme.example:8443/x?y#z",
                "https://Acme.example:8443/x?y#z",
                "`base_url` was taken with `https://` before it",
            ),
            (
                " acme.example\u{200b}",
                "https://acme.example",
                "`base_url` was taken without the blanks around it; `base_url` was taken with `https://` before it",
            ),
        ] {
            let credential = with("base_url", json!(sent)).unwrap_or_else(|error| panic!("{sent}: {error}"));
            assert_eq!(value(&credential, "base_url").as_deref(), Some(read), "{sent}");
            assert_eq!(credential.warnings.join(""), warning, "{sent}");
            let again = with("base_url", json!(read)).unwrap();
            assert_eq!((value(&again, "base_url").as_deref(), again.warnings.len()), (Some(read), 0), "once is enough");
        }
        for sent in ["acme", "http://acme.example", "ftp://acme.example", "me@acme.example", "acme.example:x", "1.5"] {
            let wrong = with("base_url", json!(sent)).unwrap_err().to_string();
            assert!(wrong.contains("must be an absolute https URL"), "{sent}: {wrong}");
        }
    }

    #[test]
    fn an_option_is_kept_by_its_value_and_a_change_is_told() {
        for (sent, warning) in [
            ("datadoghq.eu", ""),
            ("EU1", "`site` was taken as datadoghq.eu"),
            ("https://app.datadoghq.eu/", "`site` was taken as datadoghq.eu"),
        ] {
            let credential = with("site", json!(sent)).unwrap();
            assert_eq!(value(&credential, "site").as_deref(), Some("datadoghq.eu"), "{sent}");
            assert_eq!(credential.warnings.join(""), warning, "{sent}");
        }
    }

    #[test]
    fn an_invisible_character_inside_of_a_value_that_is_not_secret_is_refused_by_its_name() {
        for (field, sent) in
            [("subdomain", "ac\u{200b}me"), ("subdomain", "ac\u{a0}me"), ("base_url", "https://ac\u{ad}me.example")]
        {
            let wrong = with(field, json!(sent)).unwrap_err();
            assert_eq!(wrong.list().first().unwrap().code.as_str(), "forbidden_character", "{sent:?}: {wrong}");
            assert!(wrong.to_string().contains("the invisible character U+"), "{wrong}");
        }
        assert!(with("subdomain", json!("acm\u{e9} & co")).is_ok());
        assert_eq!(
            with("subdomain", json!("a\tb")).unwrap_err().list().first().unwrap().code.as_str(),
            "pattern_mismatch"
        );
    }

    #[test]
    fn a_character_that_no_key_has_is_refused_by_its_name_and_nothing_else_is_told() {
        for (sent, told) in [
            ("sk_V4L\u{200b}UE", "U+200B (zero width space)"),
            ("sk_V4L\u{200d}UE", "U+200D (zero width joiner)"),
            ("sk_V4L\u{feff}UE", "U+FEFF (byte order mark)"),
            ("sk_V4L\u{a0}UE", "U+00A0 (no-break space)"),
            ("sk_V4L\u{202e}UE", "U+202E (text direction)"),
            ("sk_V4L\u{ad}UE", "U+00AD (soft hyphen)"),
            ("sk_V4L\0UE", "U+0000 (null)"),
            ("sk_V4LUE\u{1b}", "U+001B"),
            ("sk_V4L\tUE", "U+0009 (tab)"),
            ("sk_V4L\nUE", "U+000A (line break)"),
            ("sk_V4L\u{201c}UE", "U+201C (left double quotation mark)"),
            ("\u{2018}sk_V4LUE", "U+2018 (left single quotation mark)"),
        ] {
            let wrong = with("api_key", json!(sent)).unwrap_err();
            let [violation] = wrong.list() else { panic!("{wrong}") };
            assert_eq!(
                (violation.place.as_str(), violation.code.as_str()),
                ("auth_object.keybased.api_key", "forbidden_character")
            );
            assert!(violation.message.contains(told), "{sent:?}: {wrong}");
            assert!(!violation.message.contains("V4L") && !violation.message.contains("UE"), "{wrong}");
        }
        assert!(with("api_key", json!("pass word with it's \"quotes\"")).is_ok());
        assert!(with("api_key", json!("\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}")).is_ok());
        let only = with("api_key", json!("Bearer ")).unwrap_err().to_string();
        assert!(only.contains("no token behind it"), "{only}");
    }

    #[test]
    fn what_is_stored_is_read_as_it_is() {
        let stored = json!({ "keybased": {
            "subdomain": " acme", "api_key": "Bearer sk_1\u{a0}", "refresh_token": "a\u{200b}b", "expires_at": "-1",
        } });
        let credential = app().validate_stored(&serde_json::from_value(stored).unwrap()).unwrap();
        assert_eq!(value(&credential, "api_key").as_deref(), Some("Bearer sk_1\u{a0}"));
        assert_eq!((value(&credential, "expires_at").as_deref(), credential.expires_at()), (Some("-1"), None));
        assert!(credential.warnings.is_empty());
    }
}
