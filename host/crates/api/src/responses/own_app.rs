//! Credentials of the organisation's own app.

use serde::Serialize;
use utoipa::ToSchema;

/// A credential of your own app is stored.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuthCredentialPut {
    /// Always true.
    success: bool,
    /// The change in words.
    #[schema(example = "Auth credential 'api_key' added successfully")]
    message: String,
    /// The change that was made: added or updated.
    action: PutAction,
}

/// Whether a credential was new.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PutAction {
    Added,
    Updated,
}

/// A credential of your own app is gone.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuthCredentialDeleted {
    /// Always true.
    success: bool,
    /// The change in words.
    #[schema(example = "Auth credential 'api_key' deleted successfully")]
    message: String,
}

impl AuthCredentialPut {
    /// Of the credential of this name.
    pub(crate) fn new(name: &str, action: PutAction) -> Self {
        let done = match action {
            PutAction::Added => "added",
            PutAction::Updated => "updated",
        };
        Self { success: true, message: format!("Auth credential '{name}' {done} successfully"), action }
    }
}

impl AuthCredentialDeleted {
    /// Of the credential of this name.
    pub(crate) fn new(name: &str) -> Self {
        Self { success: true, message: format!("Auth credential '{name}' deleted successfully") }
    }
}
