//! The values of an OAuth client: which are valid, how they are sealed, and what of them may be shown.

use super::error::ServiceError;
use super::sealing::{fields, oauth_client_context};
use keyferry_schema::{AuthSchema, AuthTypeSpec, Credential, FieldSpec, Input};
use keyferry_store::{OAuthClientKey, OAuthClientRecord, StoreError};
use keyferry_types::ids::FieldName;
use keyferry_types::secret::{Secret, SharedSecret};
use keyferry_vault::{Envelope, Vault, VaultError, check_size};

/// The auth type under which the values of an OAuth client are validated: the places of violations begin with it.
pub const OAUTH_CLIENT: &str = "oauth_client";
const CLIENT_ID: &str = "client_id";
const CLIENT_SECRET: &str = "client_secret";
const CALLBACK_URL: &str = "callback_url";
/// An absolute URI without a fragment, of any scheme: apps on devices have schemes of their own (RFC 6749, 3.1.2; RFC 8252, 7.1).
const ABSOLUTE_URI: &str = r#"[A-Za-z][A-Za-z0-9+.\-]*:[!"$-~]+"#;
/// Characters of an id of which the end may be shown: it is less than half of the id.
const SHOWN_FROM: usize = 9;
const SHOWN: usize = 4;

/// Valid values of a client.
#[derive(Debug)]
pub(super) struct ClientValues(Credential);

/// The opened values of a client.
#[derive(Debug)]
pub(super) struct OpenedValues {
    pub(super) id: SharedSecret,
    pub(super) secret: Option<SharedSecret>,
}

impl ClientValues {
    /// Reads the values as those of a credential are read: blanks around them are removed, all that is wrong is reported at once, and
    /// no value is shown.
    pub(super) fn validate(body: Input) -> Result<Self, ServiceError> {
        let schema = schema().ok_or(StoreError::Contradiction("no OAuth client has these fields"))?;
        let wrapped = Input::Object(vec![(OAUTH_CLIENT.to_owned(), body)]);
        let values = Self(schema.validate(&wrapped).map_err(ServiceError::Content)?);
        check_size(&values.sealed())?;
        Ok(values)
    }

    /// The values that are sealed: all but the callback URL.
    fn sealed(&self) -> Vec<(&FieldName, &Secret)> {
        let mut sealed = fields(&self.0);
        sealed.retain(|(name, _)| name.as_str() != CALLBACK_URL);
        sealed
    }

    pub(super) fn callback_url(&self) -> Option<&str> {
        self.0.plain(CALLBACK_URL)
    }

    /// What was removed from around the values, for people.
    pub(super) fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// The values as a version of a client keeps them.
    pub(super) fn seal(&self, vault: &Vault, key: &OAuthClientKey, version: u64) -> Result<Envelope, ServiceError> {
        Ok(vault.seal(&oauth_client_context(key, version), &self.sealed())?)
    }
}

/// Opens the values of a client. The roots of its organisation must be unlocked.
pub(super) fn open(vault: &Vault, record: &OAuthClientRecord) -> Result<OpenedValues, ServiceError> {
    let envelope = Envelope::from_bytes(record.envelope.as_slice()).map_err(VaultError::from)?;
    let (mut id, mut secret) = (None, None);
    for (name, value) in vault.open(&oauth_client_context(&record.key, record.version), &envelope)? {
        match name.as_str() {
            CLIENT_ID => id = Some(SharedSecret::new(value)),
            CLIENT_SECRET => secret = Some(SharedSecret::new(value)),
            _ => {}
        }
    }
    Ok(OpenedValues { id: id.ok_or(VaultError::NoFields)?, secret })
}

/// The end of a client's id that people know it by; nothing of a short one.
pub(super) fn end_of(id: &Secret) -> Option<String> {
    let chars: Vec<char> = id.expose().chars().collect();
    let end = chars.get(chars.len().checked_sub(SHOWN)?..)?;
    (chars.len() >= SHOWN_FROM).then(|| end.iter().collect())
}

/// The fields of a client.
fn schema() -> Option<AuthSchema> {
    let secret = |name: &str| FieldSpec { name: name.to_owned(), secret: true, ..FieldSpec::default() };
    let fields = vec![
        FieldSpec { required: true, max_length: Some(1024), ..secret(CLIENT_ID) },
        FieldSpec { max_length: Some(8192), ..secret(CLIENT_SECRET) },
        FieldSpec {
            secret: false,
            pattern: Some(ABSOLUTE_URI.to_owned()),
            max_length: Some(2048),
            example: Some("https://acme.example.com/oauth/callback".to_owned()),
            ..secret(CALLBACK_URL)
        },
    ];
    let spec = AuthTypeSpec { name: OAUTH_CLIENT.to_owned(), fields, ..AuthTypeSpec::default() };
    AuthSchema::parse(vec![spec]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validated(json: &str) -> Result<ClientValues, String> {
        ClientValues::validate(serde_json::from_str(json).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_read_as_those_of_a_credential_are() {
        let values = validated(
            r#"{"client_id":" 0123-abcd\n","client_secret":"\ts3cr3t-s3cr3t ","callback_url":"http://localhost:8080/cb"}"#,
        )
        .unwrap();
        let sealed: Vec<_> = values.sealed().iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(sealed, [("client_id", "0123-abcd"), ("client_secret", "s3cr3t-s3cr3t")]);
        assert_eq!(values.callback_url(), Some("http://localhost:8080/cb"));
        assert!(!values.warnings().is_empty());
        let public = validated(r#"{"client_id":"12345","client_secret":null}"#).unwrap();
        assert_eq!(public.sealed().iter().map(|(_, value)| value.expose()).collect::<Vec<_>>(), ["12345"]);
        for url in ["com.acme.app:/callback", "urn:ietf:wg:oauth:2.0:oob", "https://a.example.com/?x=1"] {
            let json = serde_json::json!({ "client_id": "x", "callback_url": url }).to_string();
            assert_eq!(validated(&json).unwrap().callback_url(), Some(url));
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_any_value() {
        for (json, expected) in [
            ("{}", "client_id is required"),
            (r#"{"client_id":""}"#, "client_id is required, and is empty"),
            (r#"{"client_id":["V4LUE-9"]}"#, "client_id must be a string"),
            (
                r#"{"client_id":"V4LUE-9","client_secrt":"V4LUE-9"}"#,
                "client_secrt is not a field of `oauth_client`, which has client_id, client_secret, callback_url",
            ),
            (r#"{"client_id":"V4LUE-9","callback_url":"V4LUE-9/x"}"#, "callback_url must match"),
            (r#"{"client_id":"V4LUE-9","callback_url":"https://a.example.com/#top"}"#, "callback_url must match"),
            (r#"{"client_id":12345}"#, "client_id must be a string, and is a number"),
            (r#"{"client_id":"V4LUE\n9"}"#, "single line"),
            (r#"{"client_id":"V4LUE\u00007"}"#, "invisible character"),
        ] {
            let said = validated(json).unwrap_err();
            assert!(said.contains(expected) && !said.contains("V4LUE"), "{json}: {said}");
        }
    }

    #[test]
    fn only_the_end_of_a_longer_id_is_shown() {
        for (id, end) in
            [("12345678", None), ("123456789", Some("6789")), ("abc", None), ("\u{e9}bcdefghij", Some("ghij"))]
        {
            assert_eq!(end_of(&Secret::new(id)).as_deref(), end, "{id}");
        }
    }
}
