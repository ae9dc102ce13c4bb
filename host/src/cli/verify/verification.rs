//! The result of verifying one credential.

use serde::{Deserialize, Serialize};

use super::targets::Target;
use crate::cli::api_client::ApiError;

/// A credential, and what was found out of it. Printed as it is by `--json`.
#[derive(Serialize)]
pub(super) struct Verification {
    pub(super) account_id: String,
    pub(super) slug: String,
    pub(super) auth_type: String,
    pub(super) result: Finding,
    /// The verdict, or the code of the problem that the server responded with instead.
    pub(super) outcome: String,
    pub(super) detail: Option<String>,
    pub(super) checked_at: Option<String>,
    /// Whether the user has to connect again; `null` if nothing was found out.
    pub(super) reauth_required: Option<bool>,
    /// The number of its account in the list.
    #[serde(skip)]
    pub(super) place: u64,
}

/// What a verification says of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Finding {
    /// It works.
    Verified,
    /// It is at fault.
    Failed,
    /// It could not be verified, which says nothing of it.
    NotVerified,
}

/// The server's response to a verification.
#[derive(Deserialize)]
pub(super) struct Checked {
    pub(super) verdict: Verdict,
    checked_at: Option<String>,
    reauth_required: bool,
}

/// The verdict of the app's plugin.
#[derive(Deserialize)]
pub(super) struct Verdict {
    outcome: String,
    detail: Option<String>,
    /// Seconds for which the provider accepts no more requests.
    pub(super) retry_after: Option<u32>,
}

impl Finding {
    /// By the verdict, or by the code of a problem.
    fn of(outcome: &str) -> Self {
        match outcome {
            "verified" => Self::Verified,
            "rejected" | "insufficient_scope" | "wrong_tenant" | "account_suspended" | "credential_outdated" => {
                Self::Failed
            }
            _ => Self::NotVerified,
        }
    }
}

impl Verification {
    pub(super) fn with_verdict(target: Target, checked: Checked) -> Self {
        let Checked { verdict: Verdict { outcome, detail, .. }, checked_at, reauth_required } = checked;
        Self { checked_at, reauth_required: Some(reauth_required), ..Self::new(target, outcome, detail) }
    }

    pub(super) fn without_verdict(target: Target, error: &ApiError) -> Self {
        let code = match error.code() {
            "" => format!("http_{}", error.status().as_u16()),
            code => code.to_owned(),
        };
        Self::new(target, code, Some(error.reason().to_owned()))
    }

    fn new(target: Target, outcome: String, detail: Option<String>) -> Self {
        let Target { account, slug, auth_type, place, .. } = target;
        let result = Finding::of(&outcome);
        Self {
            account_id: account,
            slug,
            auth_type,
            result,
            outcome,
            detail,
            checked_at: None,
            reauth_required: None,
            place,
        }
    }
}
