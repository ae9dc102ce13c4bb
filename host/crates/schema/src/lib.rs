//! Auth schemas of apps: the fields that a plugin describes, and the validation of a credential against them.
//!
//! | file | answers |
//! |---|---|
//! | `model` | which auth types and fields has an app? |
//! | `input` | how is a caller's JSON parsed so that its strings are secrets from the start? |
//! | `compact` | how is it stored so that its length does not depend on its characters? |
//! | `validate` | does a credential fit the schema? |
//! | `credential`, `violation` | what is the result: the credential, or what is wrong with it and where? |
//! | `field_value`, `choice`, `web_address`, `number_meaning` | which value does a caller mean by a text? |
//! | `constraints` | which texts does a field accept? |
//! | `tidy`, `quotes` | what did copying add to a value that is removed? |
//! | `json_schema`, `any_case` | how is an auth type published as JSON Schema? |
//! | `hint` | which part of a secret is shown to a plugin? |
//! | `sensitive` | which text fields look like secrets? |
//!
//! ```
//! use keyferry_schema::{AuthSchema, FieldSpec, AuthTypeSpec, Input};
//! let schema = AuthSchema::parse(vec![AuthTypeSpec {
//!     name: "keybased".into(),
//!     label: "API key".into(),
//!     fields: vec![FieldSpec { name: "api_key".into(), secret: true, required: true, ..FieldSpec::default() }],
//!     ..AuthTypeSpec::default()
//! }])?;
//! let sent: Input = serde_json::from_str(r#"{"keybased":{"apikey":"x"}}"#)?;
//! let wrong = schema.validate(&sent).unwrap_err();
//! assert_eq!(wrong.list().len(), 2); // one is missing, one is unknown, and both are reported
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod any_case;
mod choice;
mod compact;
mod constraints;
mod credential;
mod field_value;
mod hint;
mod input;
mod json_schema;
mod model;
mod number_meaning;
mod quotes;
mod sensitive;
mod tidy;
mod validate;
mod violation;
mod web_address;

pub use credential::{Credential, CredentialField, Exposure};
pub use hint::{HINT_CHARS, Hint, HintEnd, HintFault};
pub use input::Input;
pub use json_schema::DIALECT;
pub use keyferry_types::text::{Lines, is_fit, is_unfit};
pub use model::{
    AuthSchema, AuthType, AuthTypeSpec, Choice, Field, FieldKind, FieldSpec, Necessity, SchemaError, Secrecy, Supplier,
};
pub use sensitive::suspicion;
pub use tidy::without_blanks;
pub use violation::{Violation, ViolationCode, Violations};
