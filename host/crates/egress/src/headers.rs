//! The headers of a request: which names a plugin may use, and what a value may hold.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};

use super::assembler::{Assembler, Secrecy};
use super::error::Invalid;
use super::overrides;
use super::request::{Body, Pair, Part, Request};

/// Maximum number of headers of a request.
const MOST_HEADERS: usize = 64;

/// Checks the names, before anything is assembled.
pub(super) fn check(request: &Request) -> Result<(), Invalid> {
    if request.headers.len() > MOST_HEADERS {
        return Err(Invalid::new(format!("a request may have at most {MOST_HEADERS} headers")));
    }
    let mut authorizations = request.auth.iter().count();
    let mut content_types = usize::from(matches!(request.body, Body::Text { .. }));
    for pair in &request.headers {
        let name = name(&pair.name)?;
        overrides::check_header(&name)?;
        authorizations += usize::from(name == AUTHORIZATION);
        content_types += usize::from(name == CONTENT_TYPE);
    }
    if authorizations > 1 {
        return Err(Invalid::new("a request has one Authorization: either `auth` or one header of that name"));
    }
    if content_types > 1 {
        return Err(Invalid::new(
            "a request has one Content-Type: either that of a text body or one header of that name",
        ));
    }
    Ok(())
}

/// Assembles the request's own headers.
pub(super) fn assemble(
    request: &Request,
    assembler: &mut Assembler<'_>,
) -> Result<Vec<(HeaderName, HeaderValue)>, Invalid> {
    let one = |pair: &Pair| {
        let name = name(&pair.name)?;
        check_secrets(&name, &pair.value)?;
        let assembled = assembler.assemble(&pair.value)?;
        // For texts: a plain field can contain characters that a header cannot carry.
        let value = value(&name, assembled.expose(), assembled.secrecy()).map_err(|invalid| {
            Invalid::with_parts(invalid.message, &pair.value, |value| value.chars().any(char::is_control))
        })?;
        Ok((name, value))
    };
    request.headers.iter().map(one).collect()
}

/// Checks the secrets that are placed into a header without encoding. Text outside ASCII is no part of a token or a key
/// that providers issue, and servers decode it differently or refuse the whole request.
pub(super) fn check_secrets(name: &HeaderName, parts: &[Part]) -> Result<(), Invalid> {
    let fails = |value: &str| value.chars().any(|c| c.is_control() || !c.is_ascii());
    let is_unfit = |part: &Part| matches!(part, Part::Secret(secret) if fails(secret.expose()));
    if !parts.iter().any(is_unfit) {
        return Ok(());
    }
    let what = "a character that is not ASCII, a line break or another control character";
    let message = format!(
        "the value holds {what}, which the header {name} cannot carry; check that it was copied from the right place"
    );
    Err(Invalid::with_parts(message, parts, fails))
}

/// A value as it is sent. The error does not show it.
pub(super) fn value(name: &HeaderName, text: &str, secrecy: Secrecy) -> Result<HeaderValue, Invalid> {
    let refused =
        || Invalid::new(format!("the value of the header {name} holds a line break or another control character"));
    if text.chars().any(char::is_control) {
        return Err(refused());
    }
    let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| refused())?;
    value.set_sensitive(secrecy == Secrecy::Secret);
    Ok(value)
}

fn name(text: &str) -> Result<HeaderName, Invalid> {
    HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| Invalid::new(format!("{:?} is not a header name", text.chars().take(60).collect::<String>())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;
    use crate::request::Auth;

    fn request(headers: &[(&str, &str)]) -> Request {
        let pair = |(name, value): &(&str, &str)| Pair {
            name: (*name).to_owned(),
            value: vec![Part::Text((*value).to_owned())],
        };
        Request {
            method: Method::Get,
            origin: "https://api.example.com".to_owned(),
            path: Vec::new(),
            query: Vec::new(),
            headers: headers.iter().map(pair).collect(),
            auth: None,
            body: Body::Empty,
            mint: Vec::new(),
        }
    }

    #[test]
    fn names_that_steer_the_connection_are_refused() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Connection",
            "Keep-Alive",
            "Upgrade",
            "TE",
            "Trailer",
            "Expect",
            "Proxy-Authorization",
            "Proxy-Connection",
            "X-Forwarded-For",
            "Forwarded",
            "Accept-Encoding",
            "Range",
            "",
            "a b",
            "a:b",
            "a\r\nb",
            "é",
            ":authority",
        ] {
            assert!(check(&request(&[(name, "x")])).is_err(), "{name:?}");
        }
        for name in ["Accept", "Authorization", "Content-Type", "Cookie", "User-Agent", "X-Api-Key", "Notion-Version"] {
            assert!(check(&request(&[(name, "x")])).is_ok(), "{name:?}");
        }
        assert!(check(&request(&[("a", "x"); MOST_HEADERS + 1])).is_err());
    }

    #[test]
    fn what_a_request_has_once_is_not_given_twice() {
        assert!(check(&request(&[("Authorization", "x"), ("authorization", "y")])).is_err());
        let beside_auth = Request { auth: Some(Auth::Bearer(Vec::new())), ..request(&[("Authorization", "x")]) };
        assert!(check(&beside_auth).is_err());
        let body = Body::Text { content_type: "text/plain".to_owned(), content: String::new() };
        assert!(check(&Request { body, ..request(&[("Content-Type", "x")]) }).is_err());
        assert!(check(&request(&[("Cookie", "a"), ("Cookie", "b")])).is_ok());
    }

    #[test]
    fn a_value_without_control_characters_is_sent_and_another_is_not_shown() {
        for good in ["", "a b", "é", "Bearer abc=="] {
            assert_eq!(value(&AUTHORIZATION, good, Secrecy::Secret).unwrap().as_bytes(), good.as_bytes());
        }
        for bad in ["s3cr3t\r\nX: y", "s3cr3t\n", "s3cr3t\0", "s3cr3t\t", "s3cr3t\u{7f}", "s3cr3t\u{85}"] {
            let message = value(&AUTHORIZATION, bad, Secrecy::Secret).unwrap_err().message;
            assert!(message.contains("authorization") && !message.contains("s3cr3t"), "{message}");
        }
        assert!(value(&AUTHORIZATION, "x", Secrecy::Secret).unwrap().is_sensitive());
        assert!(!value(&AUTHORIZATION, "x", Secrecy::Plain).unwrap().is_sensitive());
    }
}
