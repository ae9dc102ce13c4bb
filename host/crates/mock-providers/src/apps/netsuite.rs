//! NetSuite: token-based authentication (OAuth 1.0a, HMAC-SHA256) on the REST record service.

use std::num::NonZeroU64;
use std::time::{SystemTime, UNIX_EPOCH};

use http::uri::Authority;
use parking_lot::Mutex;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;

use super::nonces::NonceMemory;
use super::oauth1::{HeaderProblem, Parameters, Signed, base_string, is_signed};
use crate::{Received, Reply};

/// Maximum difference between a timestamp and the clock, in seconds, in either direction.
const MAX_SKEW: u64 = 300;
/// Maximum number of nonces that are remembered.
const NONCES: usize = 100_000;
/// Where the records are described.
const CATALOG: &str = "/services/rest/record/v1/metadata-catalog";
/// The records in the mock provider's catalog.
const RECORDS: [&str; 3] = ["customer", "employee", "salesOrder"];

/// One NetSuite account with one integration record and one token.
#[derive(Clone)]
pub struct NetSuiteAccount {
    /// As NetSuite shows it: `1234567` or `1234567_SB1`.
    pub account_id: String,
    /// Of the integration record.
    pub consumer_key: String,
    /// Of the integration record.
    pub consumer_secret: String,
    /// Of the access token.
    pub token_id: String,
    /// Of the access token.
    pub token_secret: String,
    /// Permissions of the token's role.
    pub role: NetSuiteRole,
}

/// Permissions of the role behind a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NetSuiteRole {
    /// Use REST web services.
    RestWebServices,
    /// Log in, but not use REST web services: 403.
    WithoutRestWebServices,
}

impl NetSuiteAccount {
    /// The realm of its requests: `1234567_SB1`.
    pub fn realm(&self) -> String {
        self.account_id.to_uppercase().replace('-', "_")
    }

    /// The host of its REST services: `1234567-sb1.suitetalk.api.netsuite.com`.
    pub fn host(&self) -> String {
        format!("{}.suitetalk.api.netsuite.com", self.account_id.to_lowercase().replace('_', "-"))
    }
}

/// The handler of [`NetSuiteAccount::host`].
pub fn netsuite(account: NetSuiteAccount) -> impl Fn(Received) -> Reply + Send + Sync + 'static {
    // A clock before 1970 reads as 1970: no request is on time then, which is what a wrong clock should show.
    netsuite_with_clock(account, || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// [`netsuite`] with a clock of the caller's (seconds since 1970).
fn netsuite_with_clock(
    account: NetSuiteAccount,
    clock: impl Fn() -> u64 + Send + Sync + 'static,
) -> impl Fn(Received) -> Reply + Send + Sync + 'static {
    let nonces = Mutex::new(NonceMemory::new(NONCES));
    move |request| {
        if let Err(refusal) = authenticate(&account, &request, clock(), &nonces) {
            return unauthorized(&account, refusal);
        }
        if account.role == NetSuiteRole::WithoutRestWebServices {
            return forbidden();
        }
        match (request.method.as_str(), request.path().strip_suffix('/').unwrap_or(request.path())) {
            ("GET", CATALOG) => catalog(&account, request.query()),
            (_, CATALOG) => not_allowed(),
            _ => not_found(),
        }
    }
}

/// Why a request is not let in, in NetSuite's words for the login audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    ParameterAbsent,
    ParameterRejected,
    SignatureMethodRejected,
    VersionRejected,
    ConsumerKeyUnknown,
    TokenRejected,
    TimestampRefused,
    NonceRejected,
    NonceUsed,
    SignatureInvalid,
}

impl Refusal {
    fn code(self) -> &'static str {
        match self {
            Self::ParameterAbsent => "parameter_absent",
            Self::ParameterRejected => "parameter_rejected",
            Self::SignatureMethodRejected => "signature_method_rejected",
            Self::VersionRejected => "version_rejected",
            Self::ConsumerKeyUnknown => "consumer_key_unknown",
            Self::TokenRejected => "token_rejected",
            Self::TimestampRefused => "timestamp_refused",
            Self::NonceRejected => "nonce_rejected",
            Self::NonceUsed => "nonce_used",
            Self::SignatureInvalid => "signature_invalid",
        }
    }
}

impl From<HeaderProblem> for Refusal {
    fn from(problem: HeaderProblem) -> Self {
        match problem {
            HeaderProblem::Absent => Self::ParameterAbsent,
            HeaderProblem::Rejected => Self::ParameterRejected,
        }
    }
}

fn authenticate(
    account: &NetSuiteAccount,
    request: &Received,
    now: u64,
    nonces: &Mutex<NonceMemory>,
) -> Result<(), Refusal> {
    let sent = Parameters::parse(request.header("authorization").ok_or(Refusal::ParameterAbsent)?)?;
    if sent.require("oauth_signature_method")? != "HMAC-SHA256" {
        return Err(Refusal::SignatureMethodRejected);
    }
    let version = sent.get("oauth_version");
    if version.is_some_and(|version| version != "1.0") {
        return Err(Refusal::VersionRejected);
    }
    let same = |sent: &str, known: &str| bool::from(sent.as_bytes().ct_eq(known.as_bytes()));
    let (consumer_key, token) = (sent.require("oauth_consumer_key")?, sent.require("oauth_token")?);
    if !same(consumer_key, &account.consumer_key) {
        return Err(Refusal::ConsumerKeyUnknown);
    }
    if !same(token, &account.token_id) || sent.require("realm")? != account.realm() {
        return Err(Refusal::TokenRejected);
    }
    let timestamp: NonZeroU64 = sent.require("oauth_timestamp")?.parse().map_err(|_| Refusal::TimestampRefused)?;
    if timestamp.get().abs_diff(now) > MAX_SKEW {
        return Err(Refusal::TimestampRefused);
    }
    let nonce = sent.require("oauth_nonce")?;
    // NetSuite asks for 6 to 64 letters and digits.
    if !(6..=64).contains(&nonce.len()) || !nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::NonceRejected);
    }
    let signed = Signed {
        method: &request.method,
        uri: &signed_uri(request).ok_or(Refusal::SignatureInvalid)?,
        consumer_key,
        token,
        signature_method: "HMAC-SHA256",
        nonce,
        timestamp,
        version: version.is_some(),
    };
    let parameters: Vec<(String, String)> = form_urlencoded::parse(request.query().as_bytes()).into_owned().collect();
    let text = base_string(&signed, &parameters);
    if !is_signed(&text, &account.consumer_secret, &account.token_secret, sent.require("oauth_signature")?) {
        return Err(Refusal::SignatureInvalid);
    }
    // Last, so that a client without the secrets can neither fill the memory nor use up a nonce.
    let mut nonces = nonces.lock();
    if nonces.is_new(timestamp.get(), nonce, now.saturating_sub(MAX_SKEW)) { Ok(()) } else { Err(Refusal::NonceUsed) }
}

/// Scheme, host and path as they are signed (RFC 5849 section 3.4.1.2): host in lower case, default port left out.
fn signed_uri(request: &Received) -> Option<String> {
    let authority: Authority = request.host.parse().ok()?;
    let host = authority.host().to_lowercase();
    Some(match authority.port_u16() {
        None | Some(443) => format!("https://{host}{}", request.path()),
        Some(port) => format!("https://{host}:{port}{}", request.path()),
    })
}

fn unauthorized(account: &NetSuiteAccount, refusal: Refusal) -> Reply {
    let challenge = format!(
        "OAuth realm=\"{}\", error=\"{}\", error_description=\"Invalid login attempt.\"",
        account.realm(),
        refusal.code()
    );
    problem(
        401,
        "Unauthorized",
        "15.5.2",
        "INVALID_LOGIN",
        "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI at Setup > Users/Roles > \
         User Management > View Login Audit Trail.",
    )
    .with_header("www-authenticate", &challenge)
}

fn forbidden() -> Reply {
    problem(
        403,
        "Forbidden",
        "15.5.4",
        "INSUFFICIENT_PERMISSION",
        "Permission Violation: You need the 'REST Web Services' permission to access this page. Please contact your \
         account administrator.",
    )
}

fn not_found() -> Reply {
    problem(404, "Not Found", "15.5.5", "NONEXISTENT_ID", "The record instance or the service does not exist.")
}

fn not_allowed() -> Reply {
    problem(405, "Method Not Allowed", "15.5.6", "METHOD_NOT_ALLOWED", "The catalog answers GET only.")
        .with_header("allow", "GET")
}

/// An error as the REST services send it, with the section of RFC 9110 that describes the status.
fn problem(status: u16, title: &str, section: &str, code: &str, detail: &str) -> Reply {
    let body = json!({
        "type": format!("https://www.rfc-editor.org/rfc/rfc9110.html#section-{section}"),
        "title": title,
        "status": status,
        "o:errorDetails": [{ "detail": detail, "o:errorCode": code }],
    });
    Reply::json(status, &body).with_header("content-type", "application/vnd.oracle.resource+json; type=error")
}

fn catalog(account: &NetSuiteAccount, query: &str) -> Reply {
    let selected = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "select");
    let base = format!("https://{}{CATALOG}", account.host());
    let items: Vec<Value> = RECORDS
        .iter()
        .filter(|record| match &selected {
            Some((_, names)) => names.split(',').any(|name| name.trim().eq_ignore_ascii_case(record)),
            None => true,
        })
        .map(|record| {
            let href = format!("{base}/{record}");
            let link = |rel: &str, media: &str| json!({ "rel": rel, "href": href, "mediaType": media });
            json!({
                "name": record,
                "links": [
                    link("canonical", "application/json"),
                    link("describedby", "application/schema+json"),
                    link("alternate", "application/swagger+json"),
                ],
            })
        })
        .collect();
    Reply::json(200, &json!({ "items": items, "links": [{ "rel": "self", "href": base }] }))
        .with_header("content-type", "application/vnd.oracle.resource+json; type=collection")
}

#[cfg(test)]
#[path = "netsuite_tests.rs"]
mod tests;
