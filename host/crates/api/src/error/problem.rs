//! The catalogue of errors: the constant part of each. Handlers respond with these, and the API's description is made of the
//! same list, so neither can say anything that the other does not.

use http::StatusCode;
use serde::{Serialize, Serializer};

/// The documented shape of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Documented {
    /// `200 {"error": ...}`: the request is understood but its content is not valid.
    Bare,
    /// `{"status_code", "http_error_type", "error", "message"}`.
    Envelope {
        /// The HTTP status.
        status: StatusCode,
        /// `http_error_type`, where it is not the status's name.
        kind: Option<&'static str>,
        /// The documented product's error code.
        error: &'static str,
    },
    /// `{"error", "message"}`, in responses of a few of the product's services.
    Short {
        /// The HTTP status.
        status: StatusCode,
        /// The documented product's error code.
        error: &'static str,
    },
}

/// A header that only some failures carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    /// No additional header.
    Nothing,
    /// The header `Retry-After`.
    RetryAfter,
    /// The header `Keyferry-Failure`.
    Verdict,
    /// The headers `Keyferry-Failure` and `Retry-After`.
    VerdictAndRetryAfter,
}

/// One kind of error, in both renderings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProblemType {
    /// The name of the constant, which no other one has. A code can be that of several.
    name: &'static str,
    /// The stable error code.
    pub(crate) code: &'static str,
    /// The error in the documented product's form.
    pub(crate) documented: Documented,
    /// The status of the problem rendering.
    pub(crate) status: StatusCode,
    /// Headers that the response can carry in addition to those of every response.
    pub(crate) extra: Extra,
    /// When the error occurs, as the OpenAPI document states it.
    pub(crate) about: &'static str,
}

/// The product's internal code for nearly everything.
const SERVER_ERROR: &str = "SERVER_ERROR";
const VERIFICATION: Documented =
    Documented::Envelope { status: StatusCode::INTERNAL_SERVER_ERROR, kind: None, error: SERVER_ERROR };

impl ProblemType {
    /// The same status in both renderings.
    const fn new(status: StatusCode, code: &'static str, about: &'static str) -> Self {
        let documented = Documented::Envelope { status, kind: None, error: SERVER_ERROR };
        Self { name: "", code, documented, status, extra: Extra::Nothing, about }
    }

    /// Content that is understood but not valid: documented as 200, a problem of 422.
    const fn content(code: &'static str, about: &'static str) -> Self {
        Self { documented: Documented::Bare, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, about) }
    }

    /// Credentials that did not verify: documented as 500, a problem of `status`.
    const fn verification(status: StatusCode, code: &'static str, about: &'static str) -> Self {
        Self { documented: VERIFICATION, ..Self::new(status, code, about) }
    }

    const fn documented(self, documented: Documented) -> Self {
        Self { documented, ..self }
    }

    const fn problem(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    const fn with(self, extra: Extra) -> Self {
        Self { extra, ..self }
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|kind| kind.name == name)
    }

    /// Whether the response can carry `Retry-After`.
    pub(crate) fn has_retry_after(&self) -> bool {
        matches!(self.extra, Extra::RetryAfter | Extra::VerdictAndRetryAfter)
    }

    /// Whether the response carries the verdict.
    pub(crate) fn has_verdict(&self) -> bool {
        matches!(self.extra, Extra::Verdict | Extra::VerdictAndRetryAfter)
    }
}

impl Serialize for ProblemType {
    /// Its name: so the description of a handler names what the handler fails with.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

const fn envelope(status: StatusCode, error: &'static str) -> Documented {
    Documented::Envelope { status, kind: None, error }
}

macro_rules! kinds {
    ($($name:ident = $kind:expr;)*) => {
        $(pub(crate) static $name: ProblemType = ProblemType { name: stringify!($name), ..$kind };)*
        pub(crate) static ALL: &[&ProblemType] = &[$(&$name),*];
    };
}

kinds! {
    // Of any request.
    NO_SUCH_ROUTE = ProblemType::new(StatusCode::NOT_FOUND, "no_such_route", "No route has this path.")
        .documented(envelope(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND"));
    METHOD_NOT_ALLOWED = ProblemType::new(
        StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed",
        "The path does not allow this method; `Allow` lists the allowed ones.");
    INVALID_HOST = ProblemType::new(
        StatusCode::BAD_REQUEST, "invalid_host", "The header `Host` is missing or repeated.");
    UNSUPPORTED_TRANSFER_ENCODING = ProblemType::new(
        StatusCode::NOT_IMPLEMENTED, "unsupported_transfer_encoding",
        "The body is sent in another transfer coding than `chunked`, or in several.");
    INVALID_PATH = ProblemType::new(StatusCode::BAD_REQUEST, "invalid_path", "The path is not UTF-8 once it is percent-decoded.");
    INVALID_QUERY = ProblemType::new(StatusCode::BAD_REQUEST, "invalid_query", "A query parameter has the wrong form, or two different values.");
    INTERNAL = ProblemType::new(
        StatusCode::INTERNAL_SERVER_ERROR, "internal",
        "Something failed inside the server; its log has the reason under the response's `X-Request-Id`.");
    NO_SPACE = ProblemType::new(
        StatusCode::INSUFFICIENT_STORAGE, "no_space", "The server's disk is full, and nothing was stored.")
        .with(Extra::RetryAfter);
    STORE_UNAVAILABLE = ProblemType::new(
        StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "The server's database cannot be used at the moment, and nothing was stored.")
        .with(Extra::RetryAfter);
    KEYS_LOCKED = ProblemType::new(
        StatusCode::SERVICE_UNAVAILABLE, "keys_locked",
        "The organisation's keys cannot be unlocked for now: the server's key service fails or refuses, or another key is needed.")
        .with(Extra::RetryAfter);

    // Of the API key.
    INVALID_API_KEY = ProblemType::new(
        StatusCode::UNAUTHORIZED, "invalid_api_key", "The API key is missing, unknown, expired or revoked.");
    SCOPE_MISSING = ProblemType::new(StatusCode::FORBIDDEN, "scope_missing", "The API key does not have the required scope.");
    TOO_MANY_REQUESTS = ProblemType::new(
        StatusCode::TOO_MANY_REQUESTS, "too_many_requests",
        "This API key has made too many requests, or the linked account's front ends together have.")
        .with(Extra::RetryAfter);
    TOO_MANY_FAILED = ProblemType::new(
        StatusCode::TOO_MANY_REQUESTS, "too_many_failed_verifications",
        "Providers have turned away as many credentials of this API key, or of front ends with sessions of it, as may be within a \
         minute, and no more are tried for now.")
        .with(Extra::RetryAfter);

    // Of a body.
    UNSUPPORTED_MEDIA_TYPE = ProblemType::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is not sent as JSON, or is compressed.");
    BODY_TOO_LARGE = ProblemType::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is larger than 65536 bytes.");
    BODY_INCOMPLETE = ProblemType::new(StatusCode::BAD_REQUEST, "body_incomplete", "The body could not be read completely.");
    BODY_TIMEOUT = ProblemType::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body did not arrive in time.");
    INVALID_JSON = ProblemType::new(
        StatusCode::BAD_REQUEST, "invalid_json",
        "The body is not JSON, or not an object of the right form; the message says at which line and column.");

    // Of a linked account.
    ACCOUNT_NOT_NAMED = ProblemType::new(StatusCode::BAD_REQUEST, "linked_account_missing", "No linked account is named.");
    ACCOUNT_ID_INVALID = ProblemType::new(
        StatusCode::BAD_REQUEST, "linked_account_invalid", "The given id of the linked account is not valid.");
    ACCOUNT_CONFLICT = ProblemType::new(
        StatusCode::BAD_REQUEST, "linked_account_conflict",
        "The request names two different linked accounts in header, query, path and body, or in one of them.");
    BODY_NAMES_NO_ACCOUNT = ProblemType::new(StatusCode::BAD_REQUEST, "linked_account_missing", "The body names no linked account.")
        .documented(envelope(StatusCode::BAD_REQUEST, "INVALID_LINKED_ACCOUNT_ID"));
    BODY_ACCOUNT_ID_INVALID = ProblemType::new(
        StatusCode::BAD_REQUEST, "linked_account_invalid", "The linked account's id in the body is not valid.")
        .documented(envelope(StatusCode::BAD_REQUEST, "INVALID_LINKED_ACCOUNT_ID"));
    ACCOUNT_UNKNOWN = ProblemType::new(StatusCode::NOT_FOUND, "unknown_linked_account", "There is no such linked account.");
    ACCOUNT_UNKNOWN_TO_MIGRATE = ProblemType::new(
        StatusCode::NOT_FOUND, "unknown_linked_account", "There is no such linked account in the API key's environment.")
        .documented(envelope(StatusCode::BAD_REQUEST, SERVER_ERROR));
    NO_SUCH_INTEGRATION = ProblemType::new(
        StatusCode::NOT_FOUND, "no_such_integration", "The linked account has no integration of this app.")
        .documented(envelope(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND"));
    ACCOUNT_EXISTS = ProblemType::new(StatusCode::CONFLICT, "linked_account_exists", "There is such a linked account already.")
        .documented(envelope(StatusCode::BAD_REQUEST, SERVER_ERROR));
    ACCOUNT_TOO_LARGE = ProblemType::new(StatusCode::BAD_REQUEST, "too_large", "The name or a user-defined field is too long, or all fields together are too large.");
    ACCOUNT_HEADER_MISSING = ProblemType::new(StatusCode::BAD_REQUEST, "linked_account_missing", "No linked account is named, and an API key covers all of them.")
        .documented(envelope(StatusCode::BAD_REQUEST, "MISSING_LINKED_ACCOUNT_ID"));
    INVALID_NAME = ProblemType::new(
        StatusCode::BAD_REQUEST, "invalid_name", "The slug, the auth type or the name of the credential or OAuth client is not of the form of one.");

    // Of credentials of the organisation's own app.
    YOUR_APP_EMPTY = ProblemType::new(StatusCode::BAD_REQUEST, "your_app_empty", "`your_app` has no credentials.")
        .documented(envelope(StatusCode::INTERNAL_SERVER_ERROR, SERVER_ERROR));
    DUPLICATE_AUTH_KEY = ProblemType::new(
        StatusCode::BAD_REQUEST, "duplicate_auth_key", "`your_app.auth_credentials` contains a name twice.");
    AUTH_VALUE_INVALID = ProblemType::new(
        StatusCode::BAD_REQUEST, "value_invalid", "`value` is missing, or neither a string nor a number nor a boolean.")
        .documented(envelope(StatusCode::BAD_REQUEST, "VALIDATION_ERROR"));
    AUTH_CREDENTIAL_UNKNOWN = ProblemType::new(
        StatusCode::NOT_FOUND, "no_such_auth_credential",
        "The linked account has no credential of this name of the organisation's own app, or none at all.")
        .documented(envelope(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND"));

    // Of a session.
    TOKEN_MISSING = ProblemType::new(StatusCode::UNAUTHORIZED, "token_missing", "There is no `Authorization: Bearer`.")
        .documented(envelope(StatusCode::UNAUTHORIZED, "INVALID_TOKEN"));
    TOKEN_INVALID = ProblemType::new(
        StatusCode::UNAUTHORIZED, "invalid_token",
        "The token is no session token of this server, or its session has ended: by its time, by being revoked, or with its \
         linked account or the API key that it was made with.")
        .documented(envelope(StatusCode::UNAUTHORIZED, "INVALID_TOKEN"));
    SESSION_NAMES_NO_ACCOUNT = ProblemType::new(StatusCode::BAD_REQUEST, "linked_account_missing", "The body names no linked account.");
    SESSION_ACCOUNT_UNKNOWN = ProblemType::new(
        StatusCode::NOT_FOUND, "unknown_linked_account", "There is no such linked account in the API key's environment.")
        .documented(envelope(StatusCode::BAD_REQUEST, "INVALID_LINKED_ACCOUNT_ID"));
    NO_CONNECT_FLOW = ProblemType::new(
        StatusCode::NOT_IMPLEMENTED, "connect_flow_not_supported",
        "This server has no OAuth connect flow: it accepts tokens that you already hold, through migrate-token.");

    // Of an app.
    APPLICATION_UNKNOWN = ProblemType::new(StatusCode::NOT_FOUND, "unknown_app", "There is no such app, or none that serves now.")
        .documented(Documented::Envelope {
            status: StatusCode::NOT_FOUND, kind: Some("EXTERNAL_API_ERROR"), error: "EXTERNAL_API_FAILURE",
        });
    NO_SCHEMA = ProblemType::new(StatusCode::NOT_FOUND, "unknown_app", "There is no such app, or none that serves now.")
        .documented(Documented::Short { status: StatusCode::INTERNAL_SERVER_ERROR, error: SERVER_ERROR });

    // Of the content of a migration.
    SLUG_MISSING = ProblemType::content("slug_missing", "The body names no app.");
    SLUG_INVALID = ProblemType::content("slug_invalid", "`slug` is not a string.");
    AUTH_OBJECT_MISSING = ProblemType::content("auth_object_missing", "The body has no credential.");
    CUSTOM_APP = ProblemType::content("custom_app", "The app is the organisation's own; those cannot be migrated to.");
    UNKNOWN_APP = ProblemType::content("unknown_app", "There is no app with this slug.").problem(StatusCode::NOT_FOUND);
    APP_NOT_IN_SERVICE = ProblemType::content("app_not_in_service", "The app's plugin is installed and does not serve now.")
        .problem(StatusCode::SERVICE_UNAVAILABLE);
    INVALID_CONTENT = ProblemType::content(
        "invalid_content",
        "The credential does not fit the app's schema. `errors` lists all that is wrong; no value is shown.");

    // Of an import.
    IMPORT_UNKNOWN = ProblemType::new(StatusCode::NOT_FOUND, "unknown_import", "There is no such import.")
        .documented(envelope(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND"));
    IMPORT_STATE = ProblemType::new(
        StatusCode::CONFLICT, "import_state", "The import's state does not allow this operation, or the data it needs has been deleted.");
    FILE_KNOWN = ProblemType::new(
        StatusCode::CONFLICT, "file_known", "The same file was imported before, and the request does not say that it is meant.");
    FILE_INVALID = ProblemType::new(
        StatusCode::BAD_REQUEST, "invalid_file",
        "The file cannot be read, has no rows, or is missing. Nothing of it is in the ledger.");
    TOO_MANY_UPLOADS = ProblemType::new(
        StatusCode::SERVICE_UNAVAILABLE, "too_many_uploads", "The maximum number of files is being received.")
        .with(Extra::RetryAfter);
    SERVER_STOPPING = ProblemType::new(
        StatusCode::SERVICE_UNAVAILABLE, "server_stopping",
        "The server is stopping and does not wait for the rest of the file. Nothing of it is in the ledger.")
        .with(Extra::RetryAfter);

    // Of a webhook.
    INVALID_EVENT = ProblemType::new(
        StatusCode::BAD_REQUEST, "invalid_event",
        "An event is not one of `Connection Created`, `Connection Deleted`, `Connection Expired`.")
        .documented(envelope(StatusCode::BAD_REQUEST, "INVALID_EVENT"));
    WEBHOOK_UNKNOWN = ProblemType::new(StatusCode::NOT_FOUND, "unknown_webhook", "There is no such webhook.")
        .documented(envelope(StatusCode::BAD_REQUEST, "RESOURCE_NOT_FOUND"));
    WEBHOOK_INVALID = ProblemType::new(
        StatusCode::BAD_REQUEST, "invalid_webhook",
        "A member of the body is missing, or not of its form: a URL that is not called, a header that is not the caller's to \
         set, a signing secret that is too short.")
        .documented(envelope(StatusCode::BAD_REQUEST, "VALIDATION_ERROR"));
    WEBHOOK_NOT_SUPPORTED = ProblemType::new(
        StatusCode::BAD_REQUEST, "not_supported",
        "The body asks for what the documented product has and this server has not: another body, another type, workflows, or \
         groups.")
        .documented(envelope(StatusCode::BAD_REQUEST, "VALIDATION_ERROR"));
    TOO_MANY_WEBHOOKS = ProblemType::new(
        StatusCode::CONFLICT, "too_many_webhooks", "The environment has the maximum number of webhooks.")
        .documented(envelope(StatusCode::BAD_REQUEST, SERVER_ERROR));

    // Of OAuth clients.
    OAUTH_CLIENT_UNKNOWN = ProblemType::new(
        StatusCode::NOT_FOUND, "unknown_oauth_client", "The app has no OAuth client of this name in the environment.")
        .documented(envelope(StatusCode::BAD_REQUEST, "RESOURCE_NOT_FOUND"));
    TOO_MANY_OAUTH_CLIENTS = ProblemType::new(
        StatusCode::CONFLICT, "too_many_oauth_clients", "The environment has the maximum number of OAuth clients.")
        .documented(envelope(StatusCode::BAD_REQUEST, SERVER_ERROR));

    // Of a credential that is stored.
    APP_AWAY = ProblemType::new(
        StatusCode::SERVICE_UNAVAILABLE, "app_not_in_service",
        "No plugin serves the app of a stored credential now, so that it cannot be verified.");
    CREDENTIAL_OUTDATED = ProblemType::new(
        StatusCode::CONFLICT, "credential_outdated",
        "The stored credential no longer fits the app's schema, which has changed since; it has to be migrated again.");

    // Of the headers and conditions of a migration.
    INVALID_HEADER = ProblemType::new(
        StatusCode::BAD_REQUEST, "invalid_header", "A header (`Prefer`, `If-Match`, ...) has the wrong form.");
    PREFERENCE_NOT_ALLOWED = ProblemType::new(
        StatusCode::FORBIDDEN, "preference_not_allowed", "The operator of this server does not allow this `Prefer`.");
    PRECONDITION_FAILED = ProblemType::new(
        StatusCode::PRECONDITION_FAILED, "precondition_failed",
        "The integration or OAuth client is not as `If-Match` or `If-None-Match` asks.");
    OTHER_ACCOUNT = ProblemType::new(
        StatusCode::CONFLICT, "other_account",
        "The credential is of another account at the provider than the stored one, and `Prefer: account-change=replace` was \
         not sent.");
    CONTENDED = ProblemType::new(
        StatusCode::CONFLICT, "contended", "Many others are changing this integration, webhook or OAuth client at the same time.")
        .with(Extra::RetryAfter);
    IDEMPOTENCY_IN_FLIGHT = ProblemType::new(
        StatusCode::CONFLICT, "idempotency_key_in_flight", "A request with this `Idempotency-Key` is being worked on.")
        .with(Extra::RetryAfter);
    IDEMPOTENCY_REUSED = ProblemType::new(
        StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused",
        "This `Idempotency-Key` was used for other content within 24 hours.");
    CREDENTIAL_TOO_LARGE = ProblemType::new(
        StatusCode::PAYLOAD_TOO_LARGE, "credential_too_large", "The credential is too large to be stored.");

    // Of the verification.
    BUSY = ProblemType::new(
        StatusCode::SERVICE_UNAVAILABLE, "busy", "More credentials are being verified than the server has room for.")
        .with(Extra::RetryAfter);
    REAUTH_REQUIRED = ProblemType::new(
        StatusCode::CONFLICT, "reauth_required", "The provider takes neither the access token nor the refresh token any more: the user has to connect the app again.");
    NO_REFRESH_TOKEN = ProblemType::new(
        StatusCode::CONFLICT, "no_refresh_token", "The access token does not last as long as it is needed, and the credential has no refresh token.");
    NOT_RENEWABLE = ProblemType::new(
        StatusCode::CONFLICT, "not_renewable", "The credential does not last as long as it is needed, and the app's plugin cannot renew it.");
    RENEWAL_NOT_GRANTED = ProblemType::new(
        StatusCode::CONFLICT, "renewal_not_granted", "The operator has not granted the app's plugin the requests of renewals.");
    NO_OAUTH_CLIENT = ProblemType::new(
        StatusCode::CONFLICT, "no_oauth_client", "Renewing needs an OAuth client that neither the credential nor the organisation has.");
    OAUTH_CLIENT_REFUSED = ProblemType::new(
        StatusCode::CONFLICT, "oauth_client_refused", "The provider refuses the OAuth client; the connection is not at fault.");
    PROVIDER_DOWN = ProblemType::new(
        StatusCode::SERVICE_UNAVAILABLE, "provider_down", "The token has to be renewed, and the provider does not answer as it should; it is tried again later.")
        .with(Extra::RetryAfter);
    RENEWAL_UNAVAILABLE = ProblemType::new(
        StatusCode::SERVICE_UNAVAILABLE, "renewal_unavailable", "The token has to be renewed, which is not possible at the moment or has not ended yet.")
        .with(Extra::RetryAfter);
    PLUGIN_TIMEOUT = ProblemType::verification(
        StatusCode::GATEWAY_TIMEOUT, "plugin_timeout", "The app's plugin did not finish in time.");
    PLUGIN_FAILED = ProblemType::verification(StatusCode::BAD_GATEWAY, "plugin_failed", "The app's plugin failed.");
    CREDENTIALS_REJECTED = ProblemType::verification(
        StatusCode::UNPROCESSABLE_ENTITY, "credentials_rejected", "The provider says that the credential is not valid.")
        .with(Extra::Verdict);
    INSUFFICIENT_SCOPE = ProblemType::verification(
        StatusCode::FORBIDDEN, "insufficient_scope", "The credential works and lacks permissions that the app needs.")
        .with(Extra::Verdict);
    WRONG_TENANT = ProblemType::verification(
        StatusCode::UNPROCESSABLE_ENTITY, "wrong_tenant", "The credential is of another tenant than the one that is named.")
        .with(Extra::Verdict);
    ACCOUNT_SUSPENDED = ProblemType::verification(
        StatusCode::UNPROCESSABLE_ENTITY, "account_suspended", "The account at the provider is closed, frozen or locked.")
        .with(Extra::Verdict);
    PROVIDER_RATE_LIMITED = ProblemType::verification(
        StatusCode::TOO_MANY_REQUESTS, "provider_rate_limited", "The provider takes no more requests for now.")
        .with(Extra::VerdictAndRetryAfter);
    PROVIDER_TIMEOUT = ProblemType::verification(
        StatusCode::GATEWAY_TIMEOUT, "provider_timeout", "The provider did not respond in time.")
        .with(Extra::Verdict);
    PROVIDER_UNREACHABLE = ProblemType::verification(
        StatusCode::BAD_GATEWAY, "provider_unreachable", "The provider could not be reached.")
        .with(Extra::Verdict);
    PROVIDER_ERROR = ProblemType::verification(
        StatusCode::BAD_GATEWAY, "provider_error", "The provider responded with an error of its own.")
        .with(Extra::Verdict);
    UNEXPECTED_ANSWER = ProblemType::verification(
        StatusCode::BAD_GATEWAY, "unexpected_answer", "The provider's response is not known to the app's plugin.")
        .with(Extra::Verdict);
    NOT_VERIFIABLE = ProblemType::verification(
        StatusCode::UNPROCESSABLE_ENTITY, "not_verifiable", "There is no cheap way to verify this credential.")
        .with(Extra::Verdict);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_spelled_like_one_and_its_meaning_is_a_sentence() {
        assert!(ALL.len() > 40);
        for kind in ALL {
            assert!(kind.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", kind.code);
            assert!(kind.about.ends_with('.'), "{}: {}", kind.code, kind.about);
            // Only the documented product responds to failures with 200, and only outside of problems.
            assert!(!kind.status.is_success(), "{}", kind.code);
        }
    }
}
