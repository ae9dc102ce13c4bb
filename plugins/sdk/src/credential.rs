use crate::bindings::exports::keyferry::plugin::app as wit;
use crate::{Failure, Secret, clock};

/// A credential to verify.
///
/// ```no_run
/// # use keyferry_plugin::prelude::*;
/// # fn plugin(credential: &Credential) -> Result<(), Failure> {
/// let token: &Secret = credential.secret("access_token")?;
/// let account: &str = credential.text("account_id")?;
/// let region: Option<&str> = credential.optional_text("region");
/// let restricted = credential.hint("api_key").is_some_and(|prefix| prefix.starts_with("rk_"));
/// # Ok(())
/// # }
/// ```
pub struct Credential(wit::Credential);

impl Credential {
    pub(crate) fn from_wit(credential: wit::Credential) -> Self {
        Self(credential)
    }

    /// Which of the plugin's auth types it is: `oauth2`, `keybased`.
    pub fn auth_type(&self) -> &str {
        &self.0.auth_type
    }

    /// The handle of a secret field.
    ///
    /// # Errors
    /// [`Failure::rejected`] with the field's name, if there is no such secret. Of a required field there always is one.
    pub fn secret(&self, field: &str) -> Result<&Secret, Failure> {
        self.optional_secret(field).ok_or_else(|| missing(field))
    }

    /// The handle of a secret field, if it was given.
    pub fn optional_secret(&self, field: &str) -> Option<&Secret> {
        match self.value(field)? {
            wit::Value::Secret(secret) => Some(&secret.handle),
            wit::Value::Text(_) => None,
        }
    }

    /// The value of a field that is not secret, as text: `true`, `42`, `eu1`.
    ///
    /// # Errors
    /// [`Failure::rejected`] with the field's name, if there is no such text. Of a required field there always is one.
    pub fn text(&self, field: &str) -> Result<&str, Failure> {
        self.optional_text(field).ok_or_else(|| missing(field))
    }

    /// The value of a field that is not secret, if it was given.
    pub fn optional_text(&self, field: &str) -> Option<&str> {
        match self.value(field)? {
            wit::Value::Text(text) => Some(text),
            wit::Value::Secret(_) => None,
        }
    }

    /// What a secret field's [`hint`](crate::Field::hint) matched.
    pub fn hint(&self, field: &str) -> Option<&str> {
        match self.value(field)? {
            wit::Value::Secret(secret) => secret.hint.as_deref(),
            wit::Value::Text(_) => None,
        }
    }

    /// A number field that holds a Unix time, in milliseconds, if it was given and still lies ahead: a provider that has
    /// just accepted a token knows better than a time that says it has ended.
    ///
    /// Seconds and milliseconds are both read, and distinguished by their size.
    pub fn future_ms(&self, field: &str) -> Option<u64> {
        unix_ms(self.optional_text(field)?).filter(|time| *time > clock::now_ms())
    }

    fn value(&self, field: &str) -> Option<&wit::Value> {
        self.0.fields.iter().find(|candidate| candidate.name == field).map(|found| &found.value)
    }
}

fn missing(field: &str) -> Failure {
    Failure::rejected(format!("`{field}` is missing")).field(field)
}

/// 100,000,000,000 is the year 5138 in seconds and 1973 in milliseconds.
fn unix_ms(text: &str) -> Option<u64> {
    let whole = text.split('.').next()?.parse::<u64>().ok()?;
    Some(if whole < 100_000_000_000 { whole * 1000 } else { whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_time_is_read_in_seconds_and_in_milliseconds() {
        let cases = [
            ("1767225600", Some(1_767_225_600_000)),
            ("1767225600.75", Some(1_767_225_600_000)),
            ("1767225600000", Some(1_767_225_600_000)),
            ("0", Some(0)),
            ("-1", None),
            ("tomorrow", None),
            ("99999999999999999999999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(unix_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn text_is_found_by_name_and_its_absence_names_the_field() {
        let field = wit::FieldValue { name: "account_id".to_owned(), value: wit::Value::Text("1234".to_owned()) };
        let credential = Credential(wit::Credential { auth_type: "keybased".to_owned(), fields: vec![field] });
        assert_eq!(credential.auth_type(), "keybased");
        assert_eq!(credential.text("account_id").ok(), Some("1234"));
        assert!(credential.optional_secret("account_id").is_none());
        assert!(credential.hint("account_id").is_none());
        let failure = credential.secret("access_token").map(|_| ()).unwrap_err().into_wit();
        assert!(matches!(failure.kind, wit::FailureKind::Rejected(fields) if fields == ["access_token"]));
    }
}
