//! A provider that echoes what it receives, in every encoding and place.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use keyferry_mock_providers::{Delivery, Received, Reply};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// The encodings of an echo.
pub(super) const SPELLINGS: [&str; 23] = [
    "raw",
    "url",
    "url-lower",
    "form",
    "base64",
    "base64-bare",
    "base64url",
    "base64url-bare",
    "basic",
    "json",
    "json-escapes",
    "html",
    "hex",
    "HEX",
    "backwards",
    "json-symbols",
    "url-twice",
    "html-symbols",
    "html-bare",
    "upper",
    "quoted-printable",
    "wrapped",
    "utf-16",
];
/// The places of an echo.
pub(super) const PLACES: [&str; 11] = [
    "text",
    "json",
    "member",
    "header",
    "challenge",
    "location",
    "status-text",
    "chunks",
    "drip",
    "cut-short",
    "no-http",
];

fn spell(spelling: &str, value: &str) -> String {
    let percent = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    match spelling {
        "raw" => value.to_owned(),
        "url" => percent,
        "url-lower" => {
            let mut lower = percent.clone().into_bytes();
            for at in 0..lower.len() {
                if lower[at] == b'%' {
                    lower[at + 1..at + 3].make_ascii_lowercase();
                }
            }
            String::from_utf8(lower).unwrap()
        }
        "form" => percent.replace("%20", "+"),
        "base64" => STANDARD.encode(value),
        "base64-bare" => STANDARD_NO_PAD.encode(value),
        "base64url" => URL_SAFE.encode(value),
        "base64url-bare" => URL_SAFE_NO_PAD.encode(value),
        "basic" => STANDARD.encode(format!("user:{value}")),
        "json" => Value::from(value).to_string().trim_matches('"').to_owned(),
        "json-escapes" => value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
        "html" => value.replace('&', "&amp;").replace('"', "&quot;"),
        "hex" => hex,
        "HEX" => hex.to_uppercase(),
        "json-symbols" => symbols(value, |symbol| format!("\\u{symbol:04X}")),
        "url-twice" => utf8_percent_encode(&percent, NON_ALPHANUMERIC).to_string(),
        "html-symbols" => symbols(value, |symbol| format!("&#x{symbol:X};")),
        "html-bare" => symbols(value, |symbol| format!("&#{symbol}")),
        "upper" => value.to_uppercase(),
        "quoted-printable" => {
            value.bytes().map(|byte| format!("={byte:02X}")).collect::<String>().replace("=3D", "=3D=\r\n")
        }
        "wrapped" => {
            STANDARD.encode(value).as_bytes().chunks(20).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\r\n  ")
        }
        "utf-16" => value.chars().flat_map(|c| [c, '\0']).collect(),
        _ => value.chars().rev().collect(),
    }
}

/// The value with all characters but letters and digits encoded.
fn symbols(value: &str, write: impl Fn(u32) -> String) -> String {
    value.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { write(u32::from(c)) }).collect()
}

/// Responds according to the header `x-echo`: `place spelling`.
pub(super) fn provider(request: &Received, secret: &str) -> Reply {
    let asked = request.header("x-echo").unwrap_or_default();
    let (place, spelling) = asked.split_once(' ').unwrap_or((asked, "raw"));
    let said = spell(spelling, secret);
    let quoted = if spelling.starts_with("json") { said.clone() } else { said.replace('"', "\\\"") };
    let json = |status, text: String| Reply { body: text.into(), ..Reply::json(status, &json!(null)) };
    match place {
        "text" => Reply::text(400, &format!("you sent [{said}]")),
        "json" => json(401, format!("{{\"error\":{{\"code\":7,\"message\":\"key {quoted} is bad\"}}}}")),
        "member" => json(400, format!("{{\"{quoted}\":[\"{quoted}\"]}}")),
        "header" => Reply::text(403, "no").with_header("x-echoed", &format!("[{said}]")),
        "challenge" => Reply::text(401, "no").with_header("www-authenticate", &format!("Bearer error=\"{said}\"")),
        "location" => {
            Reply::status(302).with_header("location", &format!("https://elsewhere.example.com/{said}?a={said}"))
        }
        "status-text" => {
            raw_reply(&format!("HTTP/1.1 401 [{said}]\r\nx-echoed: [{said}]\r\ncontent-length: 0\r\n\r\n"))
        }
        "chunks" => {
            let (head, tail) = said.split_at(said.len() / 2);
            raw_reply(&format!(
                "HTTP/1.1 400 No\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{head}\r\n{:x}\r\n{tail}\r\n0\r\n\r\n",
                head.len(),
                tail.len()
            ))
        }
        "drip" => Reply::text(400, &said).delivered(Delivery::Drip(Duration::from_micros(200))),
        "cut-short" => Reply::text(400, &format!("{said}{}", " ".repeat(said.len()))).delivered(Delivery::CutShort),
        "no-http" => raw_reply(&format!("{said}\r\n{said}: {said}\r\n\r\n")),
        "closed" => Reply::status(200).delivered(Delivery::Closed),
        "slow" => Reply::text(200, &said).delayed(Duration::from_secs(30)),
        "down" => Reply::text(503, &said),
        "limited" => Reply::text(429, &said).with_header("retry-after", "7"),
        _ => Reply::json(200, &json!({ "id": "account-1", "access_token": said, "note": said })),
    }
}

fn raw_reply(text: &str) -> Reply {
    Reply::status(200).delivered(Delivery::Raw(text.as_bytes().to_vec()))
}
