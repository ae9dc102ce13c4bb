//! [`Credential`]: the result of a validation.

use std::fmt;

use keyferry_types::ids::{AuthTypeName, FieldName};
use keyferry_types::moment::Moment;
use keyferry_types::secret::SharedSecret;

/// A credential that fits its schema.
#[derive(Debug)]
pub struct Credential {
    /// Which auth type it is.
    pub auth_type: AuthTypeName,
    /// Its fields, in the schema's order; defaults are filled in, what is absent is left out.
    pub fields: Vec<CredentialField>,
    /// Corrections of the values, field by field, for people. No value is shown.
    pub warnings: Vec<String>,
}

impl Credential {
    /// The text of a field that is not secret.
    pub fn plain(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|field| field.name.as_str() == name)?;
        (found.exposure == Exposure::Plain).then(|| found.value.expose())
    }

    /// The moment that the field `expires_at` names, in milliseconds since 1970.
    pub fn expires_at(&self) -> Option<u64> {
        Moment::read(self.plain("expires_at")?).ok().map(|moment| moment.millis)
    }

    /// The values that a plugin gets handles to.
    pub fn secrets(&self) -> impl Iterator<Item = &SharedSecret> {
        self.fields.iter().filter(|field| matches!(field.exposure, Exposure::Handle { .. })).map(|field| &field.value)
    }
}

/// One field of a credential. Every value is held as a secret here, since every value is sealed in the end.
#[derive(Debug)]
pub struct CredentialField {
    /// Name of the field, as the schema spells it.
    pub name: FieldName,
    /// Value of the field, after removal of what copying left around it.
    pub value: SharedSecret,
    /// The form in which the plugin gets the value.
    pub exposure: Exposure,
}

/// The form in which a plugin gets a field. `Debug` leaves a hint out, since that is a piece of the secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Exposure {
    /// As text, which the plugin can read.
    Plain,
    /// As a handle, with what the field's hint matched.
    Handle {
        /// At most 12 characters, and at most a third of the value.
        hint: Option<String>,
    },
}

impl fmt::Debug for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Handle { hint: None } => "Handle",
            Self::Handle { hint: Some(_) } => "Handle(***)",
        })
    }
}
