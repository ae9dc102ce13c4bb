//! The same verdict as an Extism plugin: the credential is JSON, and so is the result.

use extism_pdk::{FnResult, Json, host_fn, plugin_fn};
use serde::{Deserialize, Serialize};

#[path = "../../verdict.rs"]
mod verdict;

/// The credential to verify.
#[derive(Deserialize)]
pub struct Credential {
    token: String,
    #[serde(rename = "api_key")]
    _api_key: String,
}

/// The result of a verification.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The token is valid.
    Verified {
        /// The account of the token.
        account_id: String,
        /// The end of the token, in milliseconds since 1970.
        expires_at: u64,
    },
    /// The token is not valid.
    Rejected {
        /// The reason, for the person who supplied the token.
        detail: &'static str,
    },
}

#[host_fn]
extern "ExtismHost" {
    fn now_ms() -> u64;
}

/// Verifies a credential, as Keyferry's plugins do.
#[plugin_fn]
pub fn verify(Json(credential): Json<Credential>) -> FnResult<Json<Verdict>> {
    let Some(token) = verdict::read(&credential.token) else {
        return Ok(Json(Verdict::Rejected { detail: "the token is malformed" }));
    };
    // SAFETY: the host has a function of that name, which takes no argument and returns a number.
    let now = unsafe { now_ms() }?;
    if now >= token.ends_at_ms {
        return Ok(Json(Verdict::Rejected { detail: "the token has ended" }));
    }
    Ok(Json(Verdict::Verified { account_id: token.account.to_owned(), expires_at: token.ends_at_ms }))
}
