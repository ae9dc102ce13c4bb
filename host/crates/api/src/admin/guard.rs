//! Authentication of the operator's API over TCP: the operator's token.
//!
//! An API key does not count here, whatever its scopes. It belongs to one organisation, and what is asked for here concerns all of
//! them: any organisation's root keys can be destroyed, keys of any can be made, and plugins serve everybody. A tenant's `admin` key
//! that could do that would make each tenant the operator.

use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::admin::operator::Operator;
use crate::admin::response::Problem;
use crate::admin::routes::router;
use keyferry_types::bounded_file::{self, Content, is_obstructed};
use keyferry_types::path_text::ShowPath as _;
use keyferry_vault::ApiKey;

/// The shortest token in characters: 24 random bytes in base64, or 16 in hex.
const SHORTEST: usize = 32;
/// A file with more in it is no token's.
const LONGEST: u64 = 4096;
/// Wrong tokens a minute before 429. The right token is never counted, so that others cannot lock the operator out.
const WRONG_TOKENS: NonZeroU32 = match NonZeroU32::new(20) {
    Some(number) => number,
    None => NonZeroU32::MIN,
};

/// The file with the operator's token. It is read anew for each request, so that another token counts at once. While the file
/// hangs, or a pipe or a folder is in its place, the last token that was read stays valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorToken(PathBuf);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TokenError {
    #[error("the operator's token {} cannot be read: {source}", path.shown())]
    File { path: PathBuf, source: io::Error },
    #[error("the operator's token {} can be read by others (mode {mode:04o}): chmod 600 it", path.shown())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} holds no token: one line of {SHORTEST} or more visible characters, such as `openssl rand -hex 32` prints", path.shown())]
    NotAToken { path: PathBuf },
}

/// A token as it is compared: equal lengths, and nothing to be read from how long it takes.
type Hash = [u8; 32];

impl OperatorToken {
    /// The token in this file, which has to be fit for use.
    ///
    /// # Errors
    /// Where it is not there, can be read by others, or is too short to be a secret.
    pub fn at(path: &Path) -> Result<Self, TokenError> {
        let token = Self(path.to_owned());
        token.hash(bounded_file::read(path, LONGEST))?;
        Ok(token)
    }

    fn hash(&self, read: io::Result<Content>) -> Result<Hash, TokenError> {
        let path = &self.0;
        let failed = |source| TokenError::File { path: path.clone(), source };
        let file = read.map_err(failed)?;
        if file.is_exposed() {
            return Err(TokenError::Exposed { path: path.clone(), mode: file.mode });
        }
        let token = file.text().map_err(failed)?.trim();
        if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NotAToken { path: path.clone() });
        }
        Ok(hash(token))
    }
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

/// The guard in front of the operator's API.
struct Guard {
    token: OperatorToken,
    /// The last token that could be read, and whether the file could not be since.
    last: Mutex<(Option<Hash>, bool)>,
    wrong: DefaultDirectRateLimiter,
}

/// The routes of the socket, for those who have the token.
pub fn guarded(operator: Operator, token: OperatorToken) -> Router {
    let first = token.hash(bounded_file::read(&token.0, LONGEST)).ok();
    let last = Mutex::new((first, false));
    let guard = Guard { token, last, wrong: RateLimiter::direct(Quota::per_minute(WRONG_TOKENS)) };
    router(operator).layer(middleware::from_fn_with_state(Arc::new(guard), look))
}

/// Admits a request, or refuses it without reading its body.
async fn look(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let expected = match guard.expected().await {
        Ok(expected) => expected,
        Err(error) => {
            tracing::error!(%error, "the operator's API refuses all requests over TCP: its token cannot be used");
            let detail = "the operator's token cannot be read on the server; its log says why";
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_operator_token", detail).into_response();
        }
    };
    match presented(request.headers()) {
        Some(token) if bool::from(hash(token).ct_eq(&expected)) => next.run(request).await,
        presented => guard.turn_away(presented.is_some_and(is_api_key) || request.headers().contains_key("x-api-key")),
    }
}

/// The token of a request, if it has one, and only one.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Whether a value has the form of an API key. The key's existence is not checked.
fn is_api_key(token: &str) -> bool {
    token.parse::<ApiKey>().is_ok()
}

impl Guard {
    /// What the token has to be now.
    async fn expected(&self) -> Result<Hash, TokenError> {
        let read = self.token.hash(bounded_file::read_apart(&self.token.0, LONGEST).await);
        let mut last = self.last.lock();
        match (read, last.0) {
            (Err(TokenError::File { path, source }), Some(former)) if is_obstructed(&source) => {
                if !std::mem::replace(&mut last.1, true) {
                    let error = TokenError::File { path, source };
                    tracing::warn!(%error, "the operator's token file cannot be read; the last token that was read stays valid");
                }
                Ok(former)
            }
            (Ok(hash), _) => {
                *last = (Some(hash), false);
                Ok(hash)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn turn_away(&self, has_api_key: bool) -> Response {
        if let Err(full) = self.wrong.check() {
            let seconds = full.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
            let detail = "too many wrong tokens; the right one is accepted at any time";
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_wrong_tokens", detail);
            return ([(header::RETRY_AFTER, HeaderValue::from(seconds))], problem).into_response();
        }
        tracing::warn!(has_api_key, "a request without the operator's token was refused");
        if has_api_key {
            let detail = "an API key belongs to one organisation, whatever its scopes; this API is about all of them, and takes \
                          the operator's token";
            return Problem::new(StatusCode::FORBIDDEN, "not_an_operator", detail).into_response();
        }
        let detail = "the operator's token goes into `Authorization: Bearer`";
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "operator_token_missing", detail);
        ([(header::WWW_AUTHENTICATE, "Bearer realm=\"operator\"")], problem).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_taken_only_from_a_file_of_the_operators_own_and_only_if_nobody_guesses_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let long = "0123456789abcdef0123456789abcdef";
        for (content, mode, expected) in [
            (long.to_owned(), 0o600, None),
            (format!("{long}\n"), 0o400, None),
            (long.to_owned(), 0o640, Some("can be read by others")),
            (long.to_owned(), 0o604, Some("can be read by others")),
            ("short".to_owned(), 0o600, Some("holds no token")),
            (String::new(), 0o600, Some("holds no token")),
            (format!("{long} {long}"), 0o600, Some("holds no token")),
            (format!("{long}\u{e9}"), 0o600, Some("holds no token")),
        ] {
            let _ = fs::remove_file(&path);
            fs::write(&path, &content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = OperatorToken::at(&path).err().map(|error| error.to_string());
            let is_expected = match (&error, expected) {
                (Some(error), Some(expected)) => error.contains(expected),
                (error, expected) => error.is_none() && expected.is_none(),
            };
            assert!(is_expected, "{content:?} {mode:o}: {error:?}");
        }
        assert!(OperatorToken::at(&folder.path().join("nothing")).is_err());
    }

    #[test]
    fn a_token_is_presented_once_and_as_a_bearers() {
        for (values, expected) in [
            (&["Bearer abc"][..], Some("abc")),
            (&["bearer  abc "], Some("abc")),
            (&["Basic abc"], None),
            (&["abc"], None),
            (&["Bearer abc", "Bearer abc"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(presented(&headers), expected, "{values:?}");
        }
    }
}
