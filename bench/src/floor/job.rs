//! The job of a migration except for the request to the provider, which each floor sends in its own way.

use std::error::Error;

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;

use super::committer::{Committer, Record};

/// The response to a successful migration.
const ANSWER: &[u8] = br#"{"success":true,"message":"Token migrated successfully"}"#;
/// Bytes of an integration in Keyferry's store, including its key. `bench/peers` writes the same number.
const INTEGRATION: usize = 711;
/// The header that names the linked account.
const ACCOUNT: &str = "linked_account_id";

/// The failure of a request. The generator counts it as bad.
pub(super) type Failed = Box<dyn Error + Send + Sync>;

/// The state that all requests share.
pub(super) struct Job {
    api_key: Vec<u8>,
    sealing: LessSafeKey,
    random: SystemRandom,
    committer: Committer,
}

/// The content of a request.
pub(super) struct Begun {
    /// The provider's key to migrate.
    pub(super) secret: String,
    account: String,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    auth_object: AuthObject<'a>,
}

#[derive(Deserialize)]
struct AuthObject<'a> {
    #[serde(borrow)]
    keybased: KeyBased<'a>,
}

#[derive(Deserialize)]
struct KeyBased<'a> {
    api_key: &'a str,
}

/// The provider's response.
#[derive(Deserialize)]
struct Answer<'a> {
    id: &'a str,
}

impl Job {
    pub(super) fn new(api_key: &str, committer: Committer) -> Result<Self, Failed> {
        let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| "the sealing key was not made")?;
        Ok(Self {
            api_key: digest(&SHA256, api_key.as_bytes()).as_ref().to_vec(),
            sealing: LessSafeKey::new(key),
            random: SystemRandom::new(),
            committer,
        })
    }

    /// Checks the API key and reads the body.
    pub(super) fn begin(&self, headers: &HeaderMap, body: &[u8]) -> Result<Begun, Failed> {
        let key = headers.get("x-api-key").ok_or("no API key")?;
        if digest(&SHA256, key.as_bytes()).as_ref() != self.api_key {
            return Err("the API key is not known".into());
        }
        let body: Body<'_> = serde_json::from_slice(body)?;
        let account = headers.get(ACCOUNT).ok_or("no linked account")?.to_str()?;
        Ok(Begun { secret: body.auth_object.keybased.api_key.to_owned(), account: account.to_owned() })
    }

    /// Reads the provider's response, seals the secret, and waits until it is on disk.
    pub(super) async fn finish(&self, begun: Begun, answer: &[u8]) -> Result<(), Failed> {
        let answer: Answer<'_> = serde_json::from_slice(answer)?;
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| "there is no randomness")?;
        let mut row = Vec::with_capacity(INTEGRATION);
        row.extend_from_slice(begun.secret.as_bytes());
        self.sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(answer.id), &mut row)
            .map_err(|_| "the secret was not sealed")?;
        row.extend_from_slice(&nonce);
        row.extend_from_slice(answer.id.as_bytes());
        row.resize(INTEGRATION.saturating_sub(begun.account.len()), 1);
        Ok(self.committer.commit(Record { account: begun.account, row }).await?)
    }
}

/// The response to a request.
pub(super) fn response(done: Result<(), Failed>) -> Response<Full<Bytes>> {
    let Err(failed) = done else {
        let mut response = Response::new(Full::from(ANSWER));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return response;
    };
    let mut response = Response::new(Full::from(failed.to_string()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
