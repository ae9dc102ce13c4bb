//! Assembles a complete request, ready to be sent.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request as HttpRequest;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT,
};
use http::uri::{PathAndQuery, Uri};
use http_body_util::Full;
use keyferry_types::zeroizing::Zeroizing;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::assembler::{Assembler, Secrecy, Value};
use super::body::{self, Content};
use super::connection::Outbound;
use super::error::Invalid;
use super::grant::Method;
use super::headers;
use super::origin::{Origin, path_for_sending};
use super::percent_encode;
use super::request::{Auth, OAuth1, Part, Request, SigV4};
use super::{oauth1, shape, sigv4};

const KEYFERRY: &str = concat!("Keyferry/", env!("CARGO_PKG_VERSION"));

/// A request as it is sent, with secrets in it.
pub(super) struct Outgoing {
    /// Path and query.
    target: String,
    /// Length of the path in the target.
    path_length: usize,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl Outgoing {
    /// Assembles a request whose form and grant were checked.
    pub(super) fn assemble(
        origin: &Origin,
        request: &Request,
        assembler: &mut Assembler<'_>,
        most_bytes: usize,
    ) -> Result<Self, Invalid> {
        let encode = match &request.auth {
            // S3 signs the strictly encoded path; sent in the same form, it has one interpretation.
            Some(Auth::SigV4(parameters)) if sigv4::is_s3(&parameters.service) => percent_encode::strict,
            _ => percent_encode::segment,
        };
        let mut target = path_for_sending(&request.path, encode, assembler)?;
        let path_length = target.len();
        let query = body::pairs(&request.query, assembler)?;
        if !query.is_empty() {
            target.push('?');
            target.push_str(&body::urlencoded(&query));
        }
        let content = body::assemble(&request.body, assembler)?;
        let own = headers::assemble(request, assembler)?;

        let mut headers = HeaderMap::with_capacity(own.len() + 8);
        headers.insert(HOST, origin.host_header().clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(KEYFERRY));
        if let Some(content_type) = content.content_type {
            headers.insert(CONTENT_TYPE, headers::value(&CONTENT_TYPE, content_type, Secrecy::Plain)?);
        }
        // Some servers respond 411 to an empty POST without a Content-Length.
        if content.bytes.is_empty() && matches!(request.method, Method::Post | Method::Put | Method::Patch) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        for (name, value) in own {
            if name == USER_AGENT || name == CONTENT_TYPE {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        let mut outgoing = Self { target, path_length, headers, body: Zeroizing::default() };
        if let Some(auth) = &request.auth {
            outgoing.authorize(auth, request.method, origin, &query, &content, assembler)?;
        }
        outgoing.body = content.bytes;

        if origin.length() + outgoing.size() > most_bytes {
            return Err(shape::too_large(request, most_bytes));
        }
        Ok(outgoing)
    }

    /// The request in the form of the HTTP client.
    pub(super) fn into_request(self, method: Method) -> Result<Outbound, Invalid> {
        let Self { target, mut headers, body, .. } = self;
        for (name, value) in [(ACCEPT, "*/*"), (ACCEPT_ENCODING, "gzip")] {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        // The buffer is wiped when its last reference is dropped.
        let body = if body.is_empty() { Bytes::new() } else { Bytes::from_owner(body) };
        let mut request = HttpRequest::new(Full::new(body));
        *request.method_mut() = method.into();
        *request.uri_mut() = uri(target)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        self.target.len() + headers + self.body.len()
    }

    fn path(&self) -> &str {
        self.target.get(..self.path_length).unwrap_or_default()
    }

    fn authorize(
        &mut self,
        auth: &Auth,
        method: Method,
        origin: &Origin,
        query: &[(&str, Value)],
        content: &Content<'_>,
        assembler: &mut Assembler<'_>,
    ) -> Result<(), Invalid> {
        let (authorization, secrecy) = match auth {
            Auth::Bearer(parts) => {
                headers::check_secrets(&AUTHORIZATION, parts)?;
                let value = assembler.assemble(parts)?;
                (Zeroizing::new(format!("Bearer {}", value.expose())), value.secrecy())
            }
            Auth::Basic { user, password } => basic(user, password, assembler)?,
            Auth::OAuth1(parameters) => {
                (oauth1(parameters, method, origin, self.path(), query, content, assembler)?, Secrecy::Secret)
            }
            Auth::SigV4(parameters) => {
                (self.sigv4(parameters, method, origin, query, content, assembler)?, Secrecy::Secret)
            }
        };
        let value = headers::value(&AUTHORIZATION, &authorization, secrecy).map_err(|invalid| match auth {
            Auth::Bearer(parts) => {
                Invalid::with_parts(invalid.message, parts, |value| value.chars().any(char::is_control))
            }
            _ => invalid,
        })?;
        self.headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    fn sigv4(
        &mut self,
        parameters: &SigV4,
        method: Method,
        origin: &Origin,
        query: &[(&str, Value)],
        content: &Content<'_>,
        assembler: &mut Assembler<'_>,
    ) -> Result<Zeroizing<String>, Invalid> {
        let headers: Vec<(String, Zeroizing<String>)> = self
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), Zeroizing::new(String::from_utf8_lossy(value.as_bytes()).into_owned()))
            })
            .collect();
        headers::check_secrets(&AUTHORIZATION, &parameters.access_key_id)?;
        if let Some(parts) = &parameters.session_token {
            headers::check_secrets(&HeaderName::from_static("x-amz-security-token"), parts)?;
        }
        let session_token = parameters.session_token.as_deref().map(|parts| assembler.assemble(parts)).transpose()?;
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let signed = sigv4::sign(&sigv4::Parameters {
            method: method.as_str(),
            host: origin.host_header().to_str().unwrap_or_default(),
            path: self.path(),
            query: &borrowed(query),
            headers: &headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(),
            body: &content.bytes,
            access_key_id: assembler.assemble(&parameters.access_key_id)?.expose(),
            secret_access_key: assembler.assemble(&parameters.secret_access_key)?.expose(),
            session_token: session_token.as_ref().map(Value::expose),
            region: &parameters.region,
            service: &parameters.service,
            date: &now,
        })?;
        assembler.derived(&signed.signature);
        for (name, value) in signed.headers {
            let name = HeaderName::from_static(name);
            let value = headers::value(&name, &value, Secrecy::Secret)?;
            self.headers.insert(name, value);
        }
        Ok(signed.authorization)
    }
}

/// A target as the HTTP client takes it.
pub(super) fn uri(target: String) -> Result<Uri, Invalid> {
    let target = PathAndQuery::from_maybe_shared(Bytes::from(target));
    target.map(Uri::from).map_err(|error| Invalid::new(format!("the URL is not one of HTTP: {error}")))
}

fn basic(
    user: &[Part],
    password: &[Part],
    assembler: &mut Assembler<'_>,
) -> Result<(Zeroizing<String>, Secrecy), Invalid> {
    let (assembled_user, password) = (assembler.assemble(user)?, assembler.assemble(password)?);
    if assembled_user.expose().contains(':') {
        let message =
            "the value holds a colon, which the user of HTTP Basic cannot; give the user's name or the key alone";
        return Err(Invalid::with_parts(message, user, |value| value.contains(':')));
    }
    let user = assembled_user;
    let plain = Zeroizing::new(format!("{}:{}", user.expose(), password.expose()));
    let encoded = Zeroizing::new(STANDARD.encode(plain.as_bytes()));
    let secrecy = if [user.secrecy(), password.secrecy()].contains(&Secrecy::Secret) {
        // An echo of the whole header value reveals the secrets when decoded.
        assembler.derived(&encoded);
        Secrecy::Secret
    } else {
        Secrecy::Plain
    };
    Ok((Zeroizing::new(format!("Basic {}", encoded.as_str())), secrecy))
}

fn oauth1(
    parameters: &OAuth1,
    method: Method,
    origin: &Origin,
    path: &str,
    query: &[(&str, Value)],
    content: &Content<'_>,
    assembler: &mut Assembler<'_>,
) -> Result<Zeroizing<String>, Invalid> {
    let mut nonce = [0; 16];
    SystemRandom::new().fill(&mut nonce).map_err(|_| Invalid::new("the system has no random bytes for a nonce"))?;
    let mut pairs = borrowed(query);
    pairs.extend(borrowed(&content.form));
    let signed = oauth1::sign(&oauth1::Parameters {
        method: method.as_str(),
        origin: &origin.url().origin().ascii_serialization(),
        path,
        realm: parameters.realm.as_deref(),
        consumer_key: assembler.assemble(&parameters.consumer_key)?.expose(),
        consumer_secret: assembler.assemble(&parameters.consumer_secret)?.expose(),
        token: assembler.assemble(&parameters.token)?.expose(),
        token_secret: assembler.assemble(&parameters.token_secret)?.expose(),
        nonce: &hex::encode(nonce),
        timestamp: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        pairs: &pairs,
    })?;
    assembler.derived(&signed.signature);
    Ok(signed.header)
}

fn borrowed<'v>(pairs: &'v [(&str, Value)]) -> Vec<(&'v str, &'v str)> {
    pairs.iter().map(|(name, value)| (*name, value.expose())).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde::Serialize;
    use static_assertions::assert_not_impl_any;

    use super::*;

    assert_not_impl_any!(Outgoing: fmt::Debug, fmt::Display, Serialize, Clone);
}
