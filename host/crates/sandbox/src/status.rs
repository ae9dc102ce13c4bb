//! The status of a plugin file, for operators: `keyferry plugin list` and the log show it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::description::{Digest, SecretAccess};
use super::field_reads::FieldRead;
use keyferry_egress::{Grant, GrantConcern};
use keyferry_types::ids::Slug;
use keyferry_types::path_text::{self, ShowPath as _};

/// The state of a plugin file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PluginState {
    /// It serves its app.
    Active,
    /// It waits for the operator to grant what it asks for.
    Pending,
    /// It imports WASI, which the operator has not granted. It was not run.
    NeedsWasi,
    /// The operator took its grants back.
    Revoked,
    /// Another file serves the same app.
    Duplicate,
    /// It is not an admissible plugin.
    Refused,
}

/// One file of the plugin folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PluginStatus {
    /// Where it lies. What cannot be shown of a name is escaped: `a\\u{202e}b.wasm`.
    #[serde(with = "path_text")]
    #[schema(value_type = String)]
    pub file: PathBuf,
    /// State of the file.
    pub state: PluginState,
    /// Why, where it does not serve.
    pub reason: Option<String>,
    /// Bytes of the file.
    pub bytes: usize,
    /// Its SHA-256, where it could be read.
    pub digest: Option<Digest>,
    /// The app, where it could be asked.
    pub slug: Option<Slug>,
    /// Name of the app, as the plugin describes it.
    pub name: Option<String>,
    /// Requests that the plugin asks for.
    #[schema(value_type = Vec<String>)]
    pub requests: Vec<Grant>,
    /// Requests that the plugin may make.
    #[schema(value_type = Vec<String>)]
    pub granted: Vec<Grant>,
    /// Requests that it asks for to renew credentials.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub renewal_requests: Vec<Grant>,
    /// Requests that it may make to renew credentials.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub renewal_granted: Vec<Grant>,
    /// Requests that the version before may make: the one that keeps serving, or served last. Empty where there is none.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub granted_before: Vec<Grant>,
    /// Whether it asks to read secrets.
    pub secret_access: Option<SecretAccess>,
    /// What it reads of a credential, where it could be asked: fields as text, and the beginning or end of secrets.
    #[serde(default)]
    pub reads: Vec<FieldRead>,
    /// Those of its requests that an operator should look at twice, such as `*.github.io`, and why.
    #[serde(default)]
    pub concerns: Vec<GrantConcern>,
    /// The version of the contract that it was built for, where the file says so.
    pub contract: Option<String>,
    /// When its grant ends, if it does.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<jiff::Timestamp>,
    /// The component that serves from this path: this one, or the last good one.
    pub serving: Option<Digest>,
    /// The versions of this file that are kept, the newest last.
    pub kept: Vec<Digest>,
}

impl PluginState {
    /// All that there are.
    pub(super) const ALL: [Self; 6] =
        [Self::Active, Self::Pending, Self::NeedsWasi, Self::Revoked, Self::Duplicate, Self::Refused];

    /// The state as text: `needs-wasi`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::NeedsWasi => "needs-wasi",
            Self::Revoked => "revoked",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
        }
    }
}

impl PluginStatus {
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            file,
            state: PluginState::Refused,
            reason: None,
            bytes: 0,
            digest: None,
            slug: None,
            name: None,
            requests: Vec::new(),
            granted: Vec::new(),
            renewal_requests: Vec::new(),
            renewal_granted: Vec::new(),
            granted_before: Vec::new(),
            secret_access: None,
            reads: Vec::new(),
            concerns: Vec::new(),
            contract: None,
            ends_at: None,
            serving: None,
            kept: Vec::new(),
        }
    }

    /// Its slug, or its file name where that is all there is.
    pub fn title(&self) -> String {
        match &self.slug {
            Some(slug) => slug.to_string(),
            None => self.file.file_name().unwrap_or_default().shown().to_string(),
        }
    }

    /// Writes it to the log.
    pub(super) fn announce(&self) {
        let (plugin, file) = (self.title(), self.file.shown());
        let reason = self.reason.as_deref().unwrap_or_default();
        let serving = match self.serving {
            Some(_) => "the last good version keeps serving",
            None => "its app is not served",
        };
        match self.state {
            PluginState::Active => {
                let sha256 = self.digest.as_ref().map(tracing::field::display);
                tracing::info!(plugin, %file, sha256, "plugin serves");
            }
            PluginState::Pending | PluginState::NeedsWasi | PluginState::Revoked => {
                tracing::warn!(plugin, %file, "plugin waits: {reason}; {serving}")
            }
            PluginState::Duplicate | PluginState::Refused => {
                tracing::error!(plugin, %file, "plugin refused: {reason}; {serving}")
            }
        }
    }
}
