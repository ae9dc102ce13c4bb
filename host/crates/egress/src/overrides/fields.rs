//! Parameters, form fields and members of a JSON body that replace the method.

use percent_encoding::percent_decode;

use super::json;
use crate::error::Invalid;
use crate::request::{Body, JsonMember, JsonValue, Pair, Request, literal};

/// Fields, parameters and members that replace the method, without case and what is not a letter.
const METHOD_FIELDS: [&str; 9] = [
    "httpmethodoverride",
    "methodoverride",
    "overridemethod",
    "xhttpmethod",
    "xhttpmethodoverride",
    "xhttpmethodoverwrite",
    "xhttpverboverride",
    "xmethod",
    "xmethodoverride",
];

/// The methods of HTTP, and of what extends it, that a server may take a request for.
const METHODS: [&str; 17] = [
    "connect", "copy", "delete", "get", "head", "link", "lock", "merge", "mkcol", "move", "options", "patch", "post",
    "purge", "put", "trace", "unlink",
];

/// The longest name that is looked at, in bytes.
const LONGEST_NAME: usize = 256;

/// The most bytes of a text body that are read for names.
const MOST_TEXT: usize = 1024 * 1024;

/// Refuses parameters, form fields and members of a JSON body that replace the method.
pub(super) fn check(request: &Request) -> Result<(), Invalid> {
    let own = request.method.as_str();
    pairs(&request.query, "query parameter", own)?;
    match &request.body {
        Body::Empty => Ok(()),
        Body::Form(fields) => pairs(fields, "form field", own),
        Body::Json(members) => members.iter().try_for_each(member),
        Body::Text { content, .. } => text(content, own),
    }
}

fn pairs(pairs: &[Pair], what: &str, own: &str) -> Result<(), Invalid> {
    pairs.iter().try_for_each(|pair| parameter(&pair.name, literal(&pair.value).as_deref(), what, own))
}

fn member(member: &JsonMember) -> Result<(), Invalid> {
    match (member.pointer.strip_prefix('/'), &member.value) {
        (None, JsonValue::Literal(text)) => json(text),
        (None, JsonValue::Parts(_)) => Ok(()),
        (Some(path), _) => {
            let name = path.split('/').next().unwrap_or_default();
            field(&name.replace("~1", "/").replace("~0", "~"), "JSON member")
        }
    }
}

/// The members of an object, or of the objects in an array.
fn json(text: &str) -> Result<(), Invalid> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with(['{', '[']) {
        return Ok(());
    }
    json::names(text).iter().try_for_each(|name| field(name, "JSON member"))
}

/// A text body is read in every format that a server may take it for.
fn text(content: &str, own: &str) -> Result<(), Invalid> {
    let content = content.get(..content.floor_char_boundary(MOST_TEXT)).unwrap_or(content);
    // What is in UTF-16 is ASCII with NULs between.
    if content.contains('\0') {
        text(&content.replace('\0', ""), own)?;
    }
    json(content)?;
    multipart(content, own)?;
    for pair in content.split(['&', ';']) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| percent_decode(text.replace('+', " ").as_bytes()).decode_utf8_lossy().into_owned();
        if name.len() <= LONGEST_NAME {
            let value = value.get(..value.floor_char_boundary(LONGEST_NAME)).unwrap_or(value);
            parameter(&decoded(name), Some(&decoded(value)), "form field", own)?;
        }
    }
    Ok(())
}

/// The names of a multipart body's fields. A header may continue on the next line.
fn multipart(content: &str, own: &str) -> Result<(), Invalid> {
    const HEADER: &str = "content-disposition:";
    let lower = content.to_ascii_lowercase().replace('\r', "");
    for after in lower.split(HEADER).skip(1) {
        let (headers, value) = after.split_once("\n\n").unwrap_or((after, ""));
        let value = value.lines().next().unwrap_or_default();
        let parameters = headers.split([';', '\n']).filter_map(|parameter| parameter.split_once('='));
        for (_, name) in parameters.filter(|(key, _)| matches!(key.trim(), "name" | "name*")) {
            let name = name.trim().trim_start_matches("utf-8''").replace(['"', '\\'], "");
            parameter(&percent_decode(name.as_bytes()).decode_utf8_lossy(), Some(value), "multipart field", own)?;
        }
    }
    Ok(())
}

/// Refuses a field by its name, or one called `method` with another method than the request's own.
fn parameter(name: &str, value: Option<&str>, what: &str, own: &str) -> Result<(), Invalid> {
    field(name, what)?;
    let value = value.unwrap_or_default().trim().to_ascii_lowercase();
    let is_method = steps(name).any(|step| step == "method");
    if is_method && METHODS.contains(&&*value) && !value.eq_ignore_ascii_case(own) {
        return Err(refused(name, what));
    }
    Ok(())
}

/// Refuses a field whose name replaces the method.
fn field(name: &str, what: &str) -> Result<(), Invalid> {
    let replaces = steps(name).any(|step| {
        let letters: String = step.chars().filter(char::is_ascii_alphabetic).collect();
        let is_hidden = step.starts_with(['_', '$']) && matches!(&*letters, "method" | "httpmethod");
        is_hidden || METHOD_FIELDS.contains(&&*letters)
    });
    if replaces { Err(refused(name, what)) } else { Ok(()) }
}

/// The steps of a name in lower case: `data[_method]` and `_method[]` are written so by frameworks that nest parameters. A NUL
/// ends a name for some servers, and blanks before it are dropped by others.
fn steps(name: &str) -> impl Iterator<Item = String> {
    let lower = name.split('\0').next().unwrap_or_default().to_lowercase();
    let steps: Vec<String> = lower.split(['[', ']', '.', ':']).map(|step| step.trim().to_owned()).collect();
    steps.into_iter()
}

fn refused(name: &str, what: &str) -> Invalid {
    let shown: String = name.split('\0').next().unwrap_or_default().trim().chars().take(60).collect();
    Invalid::new(format!(
        "the {what} {shown:?} would change the request's method; a request has the method that it names"
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Method;
    use crate::request::Part;
    use keyferry_types::secret::Secret;

    fn request(query: Vec<Pair>, body: Body) -> Request {
        Request {
            method: Method::Post,
            origin: "https://api.example.com".to_owned(),
            path: Vec::new(),
            query,
            headers: Vec::new(),
            auth: None,
            body,
            mint: Vec::new(),
        }
    }

    fn text_body(content: &str) -> Body {
        Body::Text { content_type: "application/octet-stream".to_owned(), content: content.to_owned() }
    }

    fn pair(name: &str, value: &str) -> Pair {
        Pair { name: name.to_owned(), value: vec![Part::Text(value.to_owned())] }
    }

    /// Whether a name and a value are refused as a parameter, a form field and a member, which they are alike.
    fn is_refused(name: &str, value: &str) -> bool {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let parts = JsonValue::Parts(vec![Part::Text(value.to_owned())]);
        let literal = JsonValue::Literal(serde_json::Value::from(value).to_string());
        let object = serde_json::json!({ "a": 1, name: value }).to_string();
        let whole = JsonMember { pointer: String::new(), value: JsonValue::Literal(object.clone()) };
        let text = |content: String| Body::Text { content_type: "application/octet-stream".to_owned(), content };
        let escaped = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let all = [
            check(&request(vec![pair("a", "b"), pair(name, value)], Body::Empty)),
            check(&request(Vec::new(), Body::Form(vec![pair(name, value)]))),
            check(&request(Vec::new(), Body::Json(vec![JsonMember { pointer: pointer.clone(), value: parts }]))),
            check(&request(Vec::new(), Body::Json(vec![JsonMember { pointer, value: literal }]))),
            check(&request(Vec::new(), Body::Json(vec![whole]))),
            check(&request(Vec::new(), text(format!("\u{feff} {object}")))),
            check(&request(Vec::new(), text(format!("[{object}]")))),
            check(&request(Vec::new(), text(format!("a=b&{escaped}={value}")))),
            check(&request(
                Vec::new(),
                text(format!("--x\r\nContent-Disposition: form-data; name=\"{escaped}\"\r\n\r\n{value}\r\n--x--\r\n")),
            )),
        ];
        let count = all.iter().filter(|result| result.is_err()).count();
        assert!(count == 0 || count == all.len(), "{name}={value}: {all:?}");
        count > 0
    }

    #[test]
    fn a_field_that_replaces_the_method_is_refused_wherever_it_is() {
        for name in [
            "_method",
            "_METHOD",
            "_Method",
            " _method",
            "_method[]",
            "data[_method]",
            "_method\0",
            "__method",
            "_httpMethod",
            "$httpMethod",
            "x-http-method-override",
            "X-HTTP-Method-Override",
            "X_HTTP_METHOD",
            "x-method-override",
            "methodOverride",
        ] {
            assert!(is_refused(name, "delete"), "{name}");
            assert!(is_refused(name, "anything"), "{name}");
        }
        for value in ["DELETE", "delete", " Put ", "PATCH", "merge", "get"] {
            let name = "method";
            for request in [
                request(vec![pair(name, value)], Body::Empty),
                request(Vec::new(), Body::Form(vec![pair(name, value)])),
                request(Vec::new(), text_body(&format!("a=b&{name}={value}"))),
            ] {
                assert!(check(&request).is_err(), "{value}");
            }
        }
        let folded = "--x\nContent-Disposition: form-data;\n name=\"_\\method\"\n\nput\n--x--";
        assert!(check(&request(Vec::new(), text_body(folded))).is_err());
    }

    #[test]
    fn a_field_that_only_looks_like_it_is_let_through() {
        for (name, value) in [
            ("method", "flickr.test.echo"),
            ("method", "tools/list"),
            ("method", "post"),
            ("payment_method", "card"),
            ("payment_method", "delete"),
            ("http_method", "POST"),
            ("auth_method", "get"),
            ("a", "_method=delete"),
        ] {
            let only = check(&request(vec![pair(name, value)], Body::Form(vec![pair(name, value)])));
            assert!(only.is_ok(), "{name}={value}");
        }
        // FortiManager's calls have it.
        let call = JsonMember {
            pointer: String::new(),
            value: JsonValue::Literal(r#"{"method":"get","params":[]}"#.to_owned()),
        };
        assert!(check(&request(Vec::new(), Body::Json(vec![call]))).is_ok());
        for text in [
            "{\"query\":\"mutation { _method }\"}",
            "<a _method=\"x\"/>",
            "{",
            "",
            "{ user(id: 1) { method } }",
            "{\"a\":{\"_method\":1}}",
        ] {
            let body = Body::Text { content_type: "text/plain".to_owned(), content: text.to_owned() };
            assert!(check(&request(Vec::new(), body)).is_ok(), "{text}");
        }
    }

    #[test]
    fn of_two_members_of_one_name_either_counts() {
        let twice = r#"{"_method":"delete","_method":null,"method":"x","method":"DELETE"}"#;
        let member = JsonMember { pointer: String::new(), value: JsonValue::Literal(twice.to_owned()) };
        let error = check(&request(Vec::new(), Body::Json(vec![member]))).unwrap_err().message;
        assert!(error.contains("JSON member \"_method\""), "{error}");
    }

    #[test]
    fn what_a_secret_says_is_not_looked_at() {
        let value = vec![Part::Secret(Arc::new(Secret::new("DELETE")))];
        let pair = Pair { name: "method".to_owned(), value };
        assert!(check(&request(vec![pair], Body::Empty)).is_ok());
    }
}
