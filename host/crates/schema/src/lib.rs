//! An app's auth schema: what a plugin described (`model`), what a caller sent (`input`), and whether the one fits
//! the other (`validate`), read as it is meant (`reading`, `tidy`, `choice`, `web_address`); the same for people with other tools (`json_schema`); and what
//! may be shown to people (`text`). What a plugin is shown of a secret is in `hint`; which text fields look like secrets, in
//! `sensitive`.
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
mod hint;
mod input;
mod json_schema;
mod model;
mod reading;
mod sensitive;
mod tidy;
mod validate;
mod web_address;

pub use hint::{HINT_CHARS, Hint, HintEnd, HintFault};
pub use input::Input;
pub use json_schema::DIALECT;
pub use keyferry_types::text::{Lines, is_fit, is_unfit};
pub use model::{
    AuthSchema, AuthType, AuthTypeSpec, Choice, Field, FieldKind, FieldSpec, Necessity, SchemaError, Secrecy, Supplier,
};
pub use sensitive::suspicion;
pub use tidy::without_blanks;
pub use validate::{Credential, CredentialField, Exposure, Violation, ViolationCode, Violations};
