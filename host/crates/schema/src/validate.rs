//! Validation of a credential against an app's schema. All violations are reported at once, and none shows a value.

use std::fmt;

use crate::credential::{Credential, CredentialField, Exposure};
use crate::field_value::{Read, Source};
use crate::input::Input;
use crate::model::{AuthSchema, AuthType, Field, FieldKind, Necessity, Secrecy};
use crate::violation::{Violation, ViolationCode, Violations};
use keyferry_types::echo::{masked_note, safe_list, safe_name};
use keyferry_types::secret::{Secret, SharedSecret};

impl AuthSchema {
    /// Checks an `auth_object` of either form: one key naming the auth type, or the older flat form where its field
    /// names fit exactly one auth type. What copying left around a value is removed first, and the credential's
    /// warnings say so.
    ///
    /// # Errors
    /// Every violation, none of which shows a value.
    pub fn validate(&self, auth_object: &Input) -> Result<Credential, Violations> {
        self.read(auth_object, Source::Sent)
    }

    /// Checks an `auth_object` that is stored, as it is: what is verified again has to be what is stored.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn validate_stored(&self, auth_object: &Input) -> Result<Credential, Violations> {
        self.read(auth_object, Source::Stored)
    }

    fn read(&self, auth_object: &Input, source: Source) -> Result<Credential, Violations> {
        let Some(members) = auth_object.members() else {
            let message = format!("must be an object, and is {}", auth_object.kind());
            return Err(Violations::one("auth_object", ViolationCode::WrongType, message));
        };
        match members {
            [(name, Input::Object(fields))] => match self.auth_type(name) {
                Some(auth_type) => auth_type.validate(format_args!("auth_object.{name}"), fields, source),
                None => Err(self.unknown_auth_type(name)),
            },
            [(name, value)] if self.auth_type(name).is_some() => Err(Violations::one(
                format!("auth_object.{name}"),
                ViolationCode::WrongType,
                format!("must be an object, and is {}", value.kind()),
            )),
            _ if !members.is_empty() && members.iter().all(|(_, value)| !matches!(value, Input::Object(_))) => {
                self.validate_flat(members, source)
            }
            _ => {
                let given = safe_list(members.iter().map(|(name, _)| name.as_str()), &self.names());
                let given = if given.is_empty() { "none".to_owned() } else { given };
                Err(Violations::one(
                    "auth_object",
                    ViolationCode::AuthTypeCount,
                    format!("must have exactly one key, naming the auth type ({}); it has {given}", self.type_names()),
                ))
            }
        }
    }

    fn validate_flat(&self, members: &[(String, Input)], source: Source) -> Result<Credential, Violations> {
        let fits = |auth_type: &&AuthType| {
            members.iter().all(|(name, _)| auth_type.field(name).is_some())
                && auth_type
                    .fields
                    .iter()
                    .filter(|field| field.necessity == Necessity::Required)
                    .all(|required| members.iter().any(|(name, _)| name == required.name.as_str()))
        };
        let candidates: Vec<&AuthType> = self.types().iter().filter(fits).collect();
        match candidates.as_slice() {
            [auth_type] => auth_type.validate(format_args!("auth_object"), members, source),
            [] => Err(Violations::one(
                "auth_object",
                ViolationCode::AuthTypeCount,
                format!(
                    "must have exactly one key, naming the auth type ({}); read as the older flat form, its fields ({}) \
                     fit none of them",
                    self.type_names(),
                    safe_list(members.iter().map(|(name, _)| name.as_str()), &self.names()),
                ),
            )),
            several => Err(Violations::one(
                "auth_object",
                ViolationCode::Ambiguous,
                format!(
                    "has fields that fit {}; say which by wrapping them: {{\"<auth type>\": {{...}}}}",
                    several.iter().map(|t| format!("`{}`", t.name)).collect::<Vec<_>>().join(" and "),
                ),
            )),
        }
    }

    fn unknown_auth_type(&self, name: &str) -> Violations {
        let shown = safe_name(name, self.names());
        Violations::one(
            format!("auth_object.{shown}"),
            ViolationCode::UnknownAuthType,
            format!("is not an auth type of this app; it has {}{}", self.type_names(), masked_note(name, shown)),
        )
    }

    /// The names that a caller may have meant: of auth types and of their fields.
    fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for auth_type in self.types() {
            names.push(auth_type.name.as_str());
            names.extend(auth_type.fields.iter().map(|field| field.name.as_str()));
        }
        names
    }

    fn type_names(&self) -> String {
        self.types().iter().map(|t| format!("`{}`", t.name)).collect::<Vec<_>>().join(", ")
    }
}

impl AuthType {
    fn validate(
        &self,
        place: fmt::Arguments<'_>,
        members: &[(String, Input)],
        source: Source,
    ) -> Result<Credential, Violations> {
        let (mut violations, mut warnings) = (Vec::new(), Vec::new());
        let mut fields = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let sent = members.iter().find(|(name, _)| name == field.name.as_str()).map(|(_, value)| value);
            match field.read(sent, source) {
                Ok(Some(Read { value, warning })) => {
                    warnings.extend(warning);
                    fields.push(field.credential_field(value));
                }
                Ok(None) => {}
                Err((code, message)) => {
                    violations.push(Violation { place: format!("{place}.{}", field.name), code, message });
                }
            }
        }
        for (name, _) in members.iter().filter(|(name, _)| self.field(name).is_none()) {
            let known: Vec<_> = self.fields.iter().map(|f| f.name.as_str()).collect();
            let shown = safe_name(name, known.iter().copied());
            violations.push(Violation {
                place: format!("{place}.{shown}"),
                code: ViolationCode::Unknown,
                message: format!(
                    "is not a field of `{}`, which has {}{}",
                    self.name,
                    known.join(", "),
                    masked_note(name, shown)
                ),
            });
        }
        if violations.is_empty() {
            Ok(Credential { auth_type: self.name.clone(), fields, warnings })
        } else {
            Err(Violations::new(violations))
        }
    }
}

impl Field {
    /// Whether the field accepts a text as it is.
    pub fn accepts(&self, text: &str) -> bool {
        let sent = Input::Text(SharedSecret::new(Secret::new(text)));
        let read = self.read(Some(&sent), Source::Sent).ok().flatten();
        // PEM is written anew.
        read.is_some_and(|read| self.spec.kind == FieldKind::Multiline || read.value.expose() == text)
    }

    fn credential_field(&self, value: SharedSecret) -> CredentialField {
        let exposure = match self.secrecy {
            Secrecy::Plain => Exposure::Plain,
            Secrecy::Secret => Exposure::Handle { hint: self.hint.as_ref().and_then(|hint| hint.of(&value)) },
        };
        CredentialField { name: self.name.clone(), value, exposure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AuthTypeSpec, Choice, FieldSpec, Supplier};

    fn spec(name: &str) -> FieldSpec {
        FieldSpec { name: name.into(), ..FieldSpec::default() }
    }

    fn app() -> AuthSchema {
        let fields = vec![
            FieldSpec { required: true, pattern: Some("[0-9]{3}".into()), ..spec("account_id") },
            FieldSpec { required: true, secret: true, hint: Some("^xox[bp]-".into()), ..spec("token") },
            FieldSpec { kind: FieldKind::Number, ..spec("expires_in") },
            FieldSpec { kind: FieldKind::Boolean, ..spec("sandbox") },
            FieldSpec { kind: FieldKind::Url, ..spec("base_url") },
            FieldSpec {
                kind: FieldKind::Select,
                default: Some("eu".into()),
                options: ["eu", "us"].map(|v| Choice { value: v.into(), label: v.into() }).into(),
                ..spec("region")
            },
            FieldSpec { kind: FieldKind::Multiline, max_length: Some(20), ..spec("key") },
        ];
        let oauth2 = vec![
            FieldSpec { required: true, secret: true, ..spec("access_token") },
            FieldSpec { required: true, supplier: Supplier::Organisation, ..spec("client_id") },
        ];
        AuthSchema::parse(vec![
            AuthTypeSpec { name: "keybased".into(), fields, ..AuthTypeSpec::default() },
            AuthTypeSpec { name: "oauth2".into(), fields: oauth2, ..AuthTypeSpec::default() },
        ])
        .unwrap()
    }

    fn validate(json: &str) -> Result<Credential, Violations> {
        app().validate(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_credential_that_fits_comes_out_in_schema_order_with_defaults_and_hints() {
        let credential =
            validate(r#"{"keybased":{"token":"xoxb-0123456789","account_id":"123","expires_in":60,"sandbox":true}}"#)
                .unwrap();
        let seen: Vec<_> = credential.fields.iter().map(|f| (f.name.as_str(), f.value.expose())).collect();
        let expected = [
            ("account_id", "123"),
            ("token", "xoxb-0123456789"),
            ("expires_in", "60"),
            ("sandbox", "true"),
            ("region", "eu"),
        ];
        assert_eq!(seen, expected);
        assert_eq!(credential.fields[1].exposure, Exposure::Handle { hint: Some("xoxb-".into()) });
        assert_eq!(credential.fields[0].exposure, Exposure::Plain);
    }

    #[test]
    fn an_option_is_kept_by_its_value_however_it_was_written() {
        for region in ["us", "US", "Us"] {
            let json = format!(r#"{{"keybased":{{"token":"t","account_id":"123","region":"{region}"}}}}"#);
            assert_eq!(validate(&json).unwrap().plain("region"), Some("us"), "{region}");
        }
    }

    #[test]
    fn what_the_organisation_supplies_is_never_demanded() {
        assert!(validate(r#"{"oauth2":{"access_token":"t"}}"#).is_ok());
    }

    #[test]
    fn every_violation_is_told_at_once_with_its_place_and_no_value() {
        let wrong = validate(
            r#"{"keybased":{"account_id":"V4LUE","expires_in":"V4LUE","sandbox":"V4LUE","base_url":"http://V4LUE",
                "region":"V4LUE","key":"V4LUE V4LUE V4LUE V4LUE V4LUE","token":7,"extra":"V4LUE"}}"#,
        )
        .unwrap_err();
        let text = wrong.to_string();
        assert!(!text.contains("V4LUE"), "{text}");
        for field in ["account_id", "expires_in", "sandbox", "base_url", "region", "key", "token", "extra"] {
            assert!(text.contains(&format!("auth_object.keybased.{field} ")), "{field} in {text}");
        }
        assert_eq!(wrong.list().len(), 8);
    }

    #[test]
    fn each_shape_of_auth_object_gets_its_own_answer() {
        let cases = [
            (r#"[]"#, "auth_object must be an object, and is an array"),
            (r#"{}"#, "it has none"),
            (r#"{"oauth2":{},"keybased":{}}"#, "it has oauth2, keybased"),
            (r#"{"oauth2":"t"}"#, "auth_object.oauth2 must be an object, and is a string"),
            (r#"{"saml":{}}"#, "auth_object.saml is not an auth type of this app; it has `keybased`, `oauth2`"),
            (r#"{"oauth2":{}}"#, "auth_object.oauth2.access_token is required"),
            (r#"{"oauth2":{"access_token":""}}"#, "auth_object.oauth2.access_token is required, and is empty"),
            (r#"{"oauth2":{"access_token":" \u200b\n"}}"#, "auth_object.oauth2.access_token is required, and is empty"),
            (r#"{"oauth2":{"access_token":"a\nb"}}"#, "single line"),
            (r#"{"oauth2":{"access_token":null}}"#, "auth_object.oauth2.access_token is required"),
            (r#"{"password":"t"}"#, "its fields (password) fit none of them"),
            (r#"{"V4LUE-7":"t"}"#, "its fields (***) fit none of them"),
            (
                r#"{"V4LUE-7":{}}"#,
                "auth_object.*** is not an auth type of this app; it has `keybased`, `oauth2` (this name is not repeated",
            ),
            (r#"{"V4LUE-7":{},"oauth2":{}}"#, "it has ***, oauth2"),
            (r#"{"oauth2":{"access_token":"t","acess_token":"t"}}"#, "auth_object.oauth2.acess_token is not a field"),
            (r#"{"personal":{"x":"t"}}"#, "auth_object.personal is not an auth type of this app"),
            (
                r#"{"oauth2":{"access_token":"t","portal_ref":"t"}}"#,
                "auth_object.oauth2.portal_ref is not a field of `oauth2`",
            ),
            (r#"{"oauth2":{"access_token":"t","V4LUE-7":""}}"#, "auth_object.oauth2.*** is not a field of `oauth2`"),
        ];
        for (json, expected) in cases {
            let text = validate(json).unwrap_err().to_string();
            assert!(text.contains(expected), "{json}: {text}");
            assert!(!text.contains("V4LUE"), "{json}: {text}");
        }
    }

    #[test]
    fn the_older_flat_form_is_taken_where_it_fits_exactly_one_auth_type() {
        assert_eq!(validate(r#"{"access_token":"t"}"#).unwrap().auth_type.as_str(), "oauth2");
        let twin =
            |name: &str| AuthTypeSpec { name: name.into(), fields: vec![spec("key")], ..AuthTypeSpec::default() };
        let both = AuthSchema::parse(vec![twin("keybased"), twin("basic")]).unwrap();
        let text = both.validate(&serde_json::from_str(r#"{"key":"k"}"#).unwrap()).unwrap_err().to_string();
        assert!(text.contains("fit `keybased` and `basic`"), "{text}");
    }
}
