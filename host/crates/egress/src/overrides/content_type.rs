//! Content types by which a server would read a body in another way than it was checked here.

use http::header::CONTENT_TYPE;

use crate::error::Invalid;
use crate::request::{Body, Request, literal};

/// Content types whose fields frameworks take for the method's. A JSON text that holds `&` has fields too, if it is read as a form.
const FORMS: [&str; 2] = ["application/x-www-form-urlencoded", "multipart/form-data"];
/// Charsets in which text that is sent in UTF-8 says what was checked.
const CHARSETS: [&str; 7] = ["utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252"];

/// Refuses a content type that contradicts the body.
pub(super) fn check(request: &Request) -> Result<(), Invalid> {
    if let Body::Text { content_type, .. } = &request.body {
        check_charset(content_type)?;
    }
    for pair in request.headers.iter().filter(|pair| pair.name.eq_ignore_ascii_case(CONTENT_TYPE.as_str())) {
        let value = literal(&pair.value).ok_or_else(|| Invalid::new("the Content-Type must not hold a secret"))?;
        check_charset(&value)?;
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        // Several values, parted by commas: servers take either.
        if matches!(request.body, Body::Json(_)) && FORMS.iter().any(|form| essence.contains(form)) {
            return Err(Invalid::new(format!("a JSON body must not be sent as {essence}: use a form body")));
        }
    }
    Ok(())
}

fn check_charset(content_type: &str) -> Result<(), Invalid> {
    let lower = content_type.to_ascii_lowercase();
    let charsets = lower.split([';', ',']).filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().starts_with("charset").then(|| value.trim().trim_matches(['"', '\'']).trim())
    });
    match charsets.into_iter().find(|charset| !CHARSETS.contains(charset)) {
        Some(_) => Err(Invalid::new("the Content-Type names another charset than UTF-8, in which the body is sent")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;
    use crate::request::{JsonMember, JsonValue, Pair, Part};

    fn checked(content_type: &str, body: Body) -> bool {
        let header = Pair { name: "content-Type".to_owned(), value: vec![Part::Text(content_type.to_owned())] };
        let headers = if matches!(body, Body::Text { .. }) { Vec::new() } else { vec![header] };
        let request = Request {
            method: Method::Post,
            origin: "https://api.example.com".to_owned(),
            path: Vec::new(),
            query: Vec::new(),
            headers,
            auth: None,
            body,
            mint: Vec::new(),
        };
        check(&request).is_ok()
    }

    fn json() -> Body {
        let value = JsonValue::Literal(r#"{"a":"&_method=DELETE&"}"#.to_owned());
        Body::Json(vec![JsonMember { pointer: String::new(), value }])
    }

    #[test]
    fn a_body_is_not_sent_as_another_kind_than_it_was_checked_as() {
        for (content_type, is_fit) in [
            ("application/json", true),
            ("application/vnd.api+json; charset=UTF-8", true),
            ("text/plain", true),
            ("application/x-www-form-urlencoded", false),
            ("Application/X-WWW-Form-Urlencoded; charset=utf-8", false),
            ("application/json, application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("application/json; charset=utf-16le", false),
            ("application/json;charset=\"UTF-7\"", false),
            ("application/json; charset = ibm037", false),
        ] {
            assert_eq!(checked(content_type, json()), is_fit, "{content_type}");
        }
        assert!(checked("application/x-www-form-urlencoded", Body::Form(Vec::new())));
        for (content_type, is_fit) in
            [("text/xml; charset=utf-8", true), ("text/xml", true), ("application/json; charset=utf-16", false)]
        {
            let body = Body::Text { content_type: content_type.to_owned(), content: String::new() };
            assert_eq!(checked(content_type, body), is_fit, "{content_type}");
        }
    }
}
