//! Parameters, form fields and members of a JSON body that replace the method.

use percent_encoding::percent_decode;

use super::json::Json;
use crate::egress::error::Invalid;
use crate::egress::request::{Body, JsonMember, JsonValue, Pair, Part, Request};

/// Fields, parameters and members that replace the method, without case and what is not a letter.
const METHOD_FIELDS: [&str; 6] = [
    "httpmethodoverride",
    "methodoverride",
    "xhttpmethod",
    "xhttpmethodoverride",
    "xhttpverboverride",
    "xmethodoverride",
];

/// The methods of HTTP, and of what extends it, that a server may take a request for.
const METHODS: [&str; 17] = [
    "connect", "copy", "delete", "get", "head", "link", "lock", "merge", "mkcol", "move", "options", "patch", "post",
    "purge", "put", "trace", "unlink",
];

/// The most bytes of a text body that are read for names.
const MOST_TEXT: usize = 1024 * 1024;

/// Refuses parameters, form fields and members of a JSON body that replace the method.
pub(in super::super) fn check(request: &Request) -> Result<(), Invalid> {
    pairs(&request.query, "query parameter")?;
    match &request.body {
        Body::Empty => Ok(()),
        Body::Form(fields) => pairs(fields, "form field"),
        Body::Json(members) => members.iter().try_for_each(member),
        Body::Text { content, .. } => text(content),
    }
}

fn pairs(pairs: &[Pair], what: &str) -> Result<(), Invalid> {
    pairs.iter().try_for_each(|pair| field(&pair.name, literal(&pair.value).as_deref(), what))
}

/// A value that holds no secret. What a secret is, a plugin does not choose.
fn literal(parts: &[Part]) -> Option<String> {
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Secret(_) | Part::Jwt(_) => None,
        })
        .collect()
}

fn member(member: &JsonMember) -> Result<(), Invalid> {
    match (member.pointer.strip_prefix('/'), &member.value) {
        (None, JsonValue::Literal(text)) => json(text),
        (None, JsonValue::Parts(_)) => Ok(()),
        (Some(path), value) => {
            let text = match value {
                JsonValue::Parts(parts) => literal(parts),
                JsonValue::Literal(text) => serde_json::from_str::<String>(text).ok(),
            };
            let (name, value) = match path.split_once('/') {
                Some((name, _)) => (name, None),
                None => (path, text.as_deref()),
            };
            field(&name.replace("~1", "/").replace("~0", "~"), value, "JSON member")
        }
    }
}

/// The members of an object, or of the objects in an array.
fn json(text: &str) -> Result<(), Invalid> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with(['{', '[']) {
        return Ok(());
    }
    match serde_json::from_str(text) {
        Ok(Json::Array(values)) => values.iter().try_for_each(members),
        Ok(value) => members(&value),
        Err(_) => Ok(()),
    }
}

fn members(value: &Json) -> Result<(), Invalid> {
    let Json::Object(members) = value else { return Ok(()) };
    members.iter().try_for_each(|(name, value)| {
        let text = if let Json::Text(text) = value { Some(text.as_str()) } else { None };
        field(name, text, "JSON member")
    })
}

/// A text body is read as whatever a server may take it for.
fn text(content: &str) -> Result<(), Invalid> {
    let content = content.get(..content.floor_char_boundary(MOST_TEXT)).unwrap_or(content);
    json(content)?;
    if content.to_ascii_lowercase().contains("content-disposition") {
        multipart(content)?;
    }
    for pair in content.split(['&', ';']) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| percent_decode(text.replace('+', " ").as_bytes()).decode_utf8_lossy().into_owned();
        if name.len() <= 256 {
            field(&decoded(name), Some(&decoded(value)), "form field")?;
        }
    }
    Ok(())
}

/// The names of a multipart body's fields.
fn multipart(content: &str) -> Result<(), Invalid> {
    let mut lines = content.lines();
    while let Some(line) = lines.next() {
        let lower = line.to_ascii_lowercase();
        let Some(rest) = lower.strip_prefix("content-disposition:") else { continue };
        for parameter in rest.split(';').skip(1) {
            let Some((key, name)) = parameter.split_once('=') else { continue };
            if matches!(key.trim(), "name" | "name*") {
                let name = name.trim().trim_start_matches("utf-8''").trim_matches('"');
                // The value comes after an empty line.
                let value = lines.by_ref().skip_while(|line| !line.is_empty()).nth(1);
                field(&percent_decode(name.as_bytes()).decode_utf8_lossy(), value, "multipart field")?;
                break;
            }
        }
    }
    Ok(())
}

/// Refuses one by its name, or by its name and the method that it says.
fn field(name: &str, value: Option<&str>, what: &str) -> Result<(), Invalid> {
    // A NUL ends a name for some servers, and blanks before it are dropped by others.
    let shown = name.split('\0').next().unwrap_or_default().trim();
    let lower = shown.to_lowercase();
    // `data[_method]` and `_method[]` are spelled so by frameworks that nest parameters.
    let replaces = lower.split(['[', ']', '.', ':']).any(|step| {
        let step = step.trim();
        let letters: String = step.chars().filter(char::is_ascii_alphabetic).collect();
        let is_hidden =
            matches!(step.chars().next(), Some('_' | '$' | ' ')) && matches!(&*letters, "method" | "httpmethod");
        is_hidden || METHOD_FIELDS.contains(&&*letters)
    });
    let says = || {
        value.is_some_and(|value| METHODS.contains(&&*value.trim().to_ascii_lowercase()))
            && lower.split(['[', ']', '.']).any(|step| step == "method")
    };
    if replaces || says() {
        let shown: String = shown.chars().take(60).collect();
        return Err(Invalid::new(format!(
            "the {what} {shown:?} would change the request's method, which only `method` does"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::egress::Method;
    use crate::secret::Secret;

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
        for value in ["DELETE", "delete", " Put ", "PATCH", "merge"] {
            assert!(is_refused("method", value), "{value}");
        }
    }

    #[test]
    fn a_field_that_only_looks_like_it_is_let_through() {
        for (name, value) in [
            ("method", "flickr.test.echo"),
            ("method", "tools/list"),
            ("payment_method", "card"),
            ("payment_method", "delete"),
            ("http_method", "POST"),
            ("auth_method", "get"),
            ("a", "_method=delete"),
        ] {
            let only = check(&request(vec![pair(name, value)], Body::Form(vec![pair(name, value)])));
            assert!(only.is_ok(), "{name}={value}");
        }
        for text in ["{\"query\":\"mutation { _method }\"}", "<a _method=\"x\"/>", "{", "", "{\"a\":{\"_method\":1}}"] {
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
