//! Checks of a request before anything is assembled: its size, and the form of its parts. Every check is cheap, since a plugin
//! may send anything.

use super::error::Invalid;
use super::request::{Auth, Body, JsonValue, Pair, Part, Request};
use super::{headers, mint, offending_parts, overrides};

const MOST_SEGMENTS: usize = 64;
const MOST_PAIRS: usize = 256;
const MOST_PARTS: usize = 1024;
/// Each costs a signature of about a millisecond.
const MOST_JWTS: usize = 4;

/// Checks size and form of a request.
pub(super) fn check(request: &Request, most_bytes: usize) -> Result<(), Invalid> {
    at_most(request.path.len(), MOST_SEGMENTS, "path segments")?;
    at_most(request.query.len(), MOST_PAIRS, "query parameters")?;
    headers::check(request)?;
    mint::check_pointers(&request.mint)?;

    let mut weight = Weight::default();
    request.path.iter().for_each(|parts| weight.add(parts));
    weight.add_pairs(&request.query);
    weight.add_pairs(&request.headers);
    match &request.body {
        Body::Empty => {}
        Body::Text { content_type, content } => weight.bytes += content_type.len() + content.len(),
        Body::Form(fields) => {
            at_most(fields.len(), MOST_PAIRS, "form fields")?;
            weight.add_pairs(fields);
        }
        Body::Json(members) => {
            at_most(members.len(), MOST_PAIRS, "JSON members")?;
            for member in members {
                weight.bytes += member.pointer.len();
                match &member.value {
                    JsonValue::Literal(text) => weight.bytes += text.len(),
                    JsonValue::Parts(parts) => weight.add(parts),
                }
            }
        }
    }
    match &request.auth {
        None => {}
        Some(Auth::Bearer(value)) => weight.add(value),
        Some(Auth::Basic { user, password }) => [user, password].into_iter().for_each(|parts| weight.add(parts)),
        Some(Auth::OAuth1(auth)) => {
            weight.bytes += auth.realm.as_ref().map_or(0, String::len);
            [&auth.consumer_key, &auth.consumer_secret, &auth.token, &auth.token_secret]
                .into_iter()
                .for_each(|parts| weight.add(parts));
        }
        Some(Auth::SigV4(auth)) => {
            [&auth.access_key_id, &auth.secret_access_key].into_iter().for_each(|parts| weight.add(parts));
            auth.session_token.iter().for_each(|parts| weight.add(parts));
        }
    }
    at_most(weight.parts, MOST_PARTS, "parts")?;
    at_most(weight.jwts, MOST_JWTS, "JSON Web Tokens")?;
    if weight.bytes > most_bytes {
        return Err(too_large(request, most_bytes));
    }
    overrides::check(request)
}

/// The error of a request with too many bytes. It does not say how many: that would reveal the length of its secrets.
pub(super) fn too_large(request: &Request, most_bytes: usize) -> Invalid {
    let message = format!("the request is too large: it may have {most_bytes} bytes");
    Invalid::with_parts(message, &offending_parts::parts_of(request), offending_parts::is_large)
}

fn at_most(count: usize, most: usize, what: &str) -> Result<(), Invalid> {
    if count <= most {
        Ok(())
    } else {
        Err(Invalid::new(format!("the request has {count} {what}, and at most {most} are allowed")))
    }
}

/// Size of a request before assembly.
#[derive(Default)]
struct Weight {
    parts: usize,
    jwts: usize,
    bytes: usize,
}

impl Weight {
    fn add_pairs(&mut self, pairs: &[Pair]) {
        for pair in pairs {
            self.bytes += pair.name.len();
            self.add(&pair.value);
        }
    }

    fn add(&mut self, parts: &[Part]) {
        self.parts += parts.len();
        for part in parts {
            match part {
                Part::Text(text) => self.bytes += text.len(),
                Part::Secret(secret) => self.bytes += secret.len(),
                Part::Jwt(jwt) => {
                    self.jwts += 1;
                    self.bytes += jwt.claims.len() + jwt.header.as_ref().map_or(0, String::len);
                }
            }
        }
    }
}
