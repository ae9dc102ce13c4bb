//! Assembles a complete request, ready to be sent.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use ring::rand::{SecureRandom as _, SystemRandom};
use url::Url;
use zeroize::Zeroizing;

use super::assembler::{Assembler, Secrecy, Value};
use super::body::{self, Content};
use super::error::Invalid;
use super::grant::Method;
use super::headers;
use super::origin::Origin;
use super::percent_encode;
use super::request::{Auth, OAuth1, Part, Request, SigV4};
use super::{oauth1, shape, sigv4};

const KEYFERRY: &str = concat!("Keyferry/", env!("CARGO_PKG_VERSION"));

/// A request as it is sent, with secrets in it.
pub(super) struct Outgoing {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
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
        let mut url = origin.for_sending(&request.path, encode, assembler)?;
        let query = body::pairs(&request.query, assembler)?;
        if !query.is_empty() {
            let text = body::urlencoded(&query);
            url.set_query(Some(&text));
            if url.query() != Some(&text) {
                return Err(Invalid::new("the query does not survive as it was put together"));
            }
        }
        let content = body::assemble(&request.body, assembler)?;
        let own = headers::assemble(request, assembler)?;

        let mut headers = HeaderMap::with_capacity(own.len() + 6);
        headers.insert(HOST, headers::value(&HOST, &origin.host_header(), Secrecy::Plain)?);
        headers.insert(USER_AGENT, HeaderValue::from_static(KEYFERRY));
        if let Some(content_type) = &content.content_type {
            headers.insert(CONTENT_TYPE, headers::value(&CONTENT_TYPE, content_type, Secrecy::Plain)?);
        }
        // Some servers respond 411 to an empty POST without a Content-Length.
        if content.bytes.is_empty() && matches!(request.method, Method::Post | Method::Put | Method::Patch) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        for (name, value) in &own {
            let sent = headers::value(name, value.expose(), value.secrecy())?;
            if name == USER_AGENT || name == CONTENT_TYPE {
                headers.insert(name, sent);
            } else {
                headers.append(name, sent);
            }
        }
        let mut outgoing = Self { url, headers, body: Zeroizing::default() };
        if let Some(auth) = &request.auth {
            outgoing.authorize(auth, request.method, origin, &query, &content, assembler)?;
        }
        outgoing.body = content.bytes;

        if outgoing.size() > most_bytes {
            return Err(shape::too_large(request, most_bytes));
        }
        Ok(outgoing)
    }

    fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        self.url.as_str().len() + headers + self.body.len()
    }

    fn authorize(
        &mut self,
        auth: &Auth,
        method: Method,
        origin: &Origin,
        query: &[(String, Value)],
        content: &Content,
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
                (oauth1(parameters, method, &self.url, query, content, assembler)?, Secrecy::Secret)
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
        query: &[(String, Value)],
        content: &Content,
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
            host: &origin.host_header(),
            path: self.url.path(),
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
    url: &Url,
    query: &[(String, Value)],
    content: &Content,
    assembler: &mut Assembler<'_>,
) -> Result<Zeroizing<String>, Invalid> {
    let mut nonce = [0; 16];
    SystemRandom::new().fill(&mut nonce).map_err(|_| Invalid::new("the system has no random bytes for a nonce"))?;
    let mut pairs = borrowed(query);
    pairs.extend(borrowed(&content.form));
    let signed = oauth1::sign(&oauth1::Parameters {
        method: method.as_str(),
        url,
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

fn borrowed(pairs: &[(String, Value)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.expose())).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde::Serialize;
    use static_assertions::assert_not_impl_any;

    use super::*;

    assert_not_impl_any!(Outgoing: fmt::Debug, fmt::Display, Serialize, Clone);
}
