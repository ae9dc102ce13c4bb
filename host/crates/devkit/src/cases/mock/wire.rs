//! Requests as they go over the wire, in the lines of [`request`](crate::cases::request): a plugin's, with the values of its
//! secrets, and one that a mock provider received.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;
use url::form_urlencoded;

use crate::cases::request::{
    LineWriter, basic, content_lines, form_lines, headers, json_lines, jwt_as_lines, oauth1, sigv4,
};
use crate::cases::url as case_url;
use keyferry_egress::{Auth, Body, Request};

const FORM: &str = "application/x-www-form-urlencoded";
/// Claims that differ each time that a token is signed.
const CLAIMS_OF_THE_MOMENT: [&str; 4] = ["iat", "exp", "nbf", "jti"];
/// Members that every header of a token has.
const USUAL_OF_A_TOKEN: [&str; 2] = ["alg", "typ"];

/// A request that a mock provider received.
#[derive(Clone, Copy)]
pub struct ReceivedRequest<'a> {
    /// HTTP method of the request.
    pub method: &'a str,
    /// The `Host` header.
    pub host: &'a str,
    /// The request target: `/v1/balance?expand=x`.
    pub target: &'a str,
    /// The headers, in order, names in lower case.
    pub headers: &'a [(String, String)],
    /// The complete body.
    pub body: &'a [u8],
}

/// A request in lines, without what signs it: signatures, nonces and times differ each time. It holds credentials, so it cannot
/// be printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct WireLines {
    /// Method and URL.
    request: String,
    authorization: Option<String>,
    headers: Vec<String>,
    content: Vec<String>,
    /// The JSON Web Tokens that `{{jwt}}` stands for.
    tokens: Vec<String>,
}

impl WireLines {
    /// A plugin's request.
    pub(super) fn of_plugin(request: &Request) -> Self {
        let mut writer = LineWriter::exposing();
        let segments: Vec<_> = request.path.iter().map(|segment| writer.text(segment)).collect();
        let query = writer.pairs(&request.query);
        let url = case_url::shown(&origin(host_of(&request.origin)), &segments, &query);
        let headers = headers(writer.pairs(&request.headers));
        let authorization = request.auth.as_ref().map(|auth: &Auth| writer.auth(auth));
        let content = match &request.body {
            Body::Empty => Vec::new(),
            Body::Form(fields) => form_lines(writer.pairs(fields)),
            Body::Text { content_type, content } => text_lines(content_type, content),
            Body::Json(members) => json_lines(&writer.json(members)),
        };
        let tokens = writer.jwts.iter().flat_map(|jwt| {
            let json = |text: &str| serde_json::from_str(text).unwrap_or(Json::Null);
            token_lines(jwt.algorithm.as_str(), jwt.header.as_deref().map_or(Json::Null, json), json(&jwt.claims))
        });
        Self { tokens: tokens.collect(), request: format!("{} {url}", request.method), authorization, headers, content }
    }

    /// A request as it was received; and once more with `{{jwt}}` in place of the JSON Web Tokens in it, if there are any.
    pub(super) fn received(request: &ReceivedRequest<'_>) -> Vec<Self> {
        let as_sent = Self::read(request, &mut |value| value);
        let mut tokens = Vec::new();
        let without_tokens = Self::read(request, &mut |value| match token(&value) {
            Some(lines) => {
                tokens.extend(lines);
                "{{jwt}}".to_owned()
            }
            None => value,
        });
        if tokens.is_empty() { vec![as_sent] } else { vec![as_sent, Self { tokens, ..without_tokens }] }
    }

    fn read(request: &ReceivedRequest<'_>, shown: &mut dyn FnMut(String) -> String) -> Self {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let segments: Vec<String> = match path.trim_start_matches('/') {
            "" => Vec::new(),
            path => path.split('/').map(decoded).collect(),
        };
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let url = case_url::shown(&origin(request.host), &segments, &query);
        let header = |name: &str| {
            request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let content_type = header("content-type");
        let is_form = essence(content_type).eq_ignore_ascii_case(FORM);
        let content = match request.body {
            [] => Vec::new(),
            body if is_form => {
                let pairs = form_urlencoded::parse(body).into_owned();
                form_lines(pairs.map(|(name, value)| (name, shown(value))).collect())
            }
            body => text_lines(content_type, &String::from_utf8_lossy(body)),
        };
        Self {
            request: format!("{} {url}", request.method),
            authorization: authorization(header("authorization"), header("x-amz-security-token"), shown),
            headers: headers(request.headers.to_vec()),
            content,
            tokens: Vec::new(),
        }
    }

    /// Whether a received request is this one of a plugin. It can have headers that the plugin did not set.
    pub(super) fn is(&self, received: &Self) -> bool {
        self.request == received.request
            && (self.authorization.is_none() || self.authorization == received.authorization)
            && self.content == received.content
            && self.tokens == received.tokens
            && self.headers.iter().all(|header| received.headers.contains(header))
    }

    /// Whether one received request can be both of these.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        self.is(other) || other.is(self)
    }

    /// Method and URL without its query.
    pub(super) fn place(&self) -> &str {
        self.request.split('?').next().unwrap_or_default()
    }

    /// The host that is asked, without a port.
    pub(super) fn host(&self) -> &str {
        host_of(self.request.split_once(' ').map_or("", |(_, url)| url)).split('/').next().unwrap_or_default()
    }
}

fn origin(host: &str) -> String {
    // Every host is served on one port, whichever the provider has.
    format!("https://{}", host.split(':').next().unwrap_or_default())
}

fn host_of(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Content that is given as text.
fn text_lines(content_type: &str, content: &str) -> Vec<String> {
    if essence(content_type).eq_ignore_ascii_case(FORM) {
        return form_lines(form_urlencoded::parse(content.as_bytes()).into_owned().collect());
    }
    content_lines(content_type, content)
}

/// The line of an `Authorization` header, without what signs.
fn authorization(header: &str, session_token: &str, shown: &mut dyn FnMut(String) -> String) -> Option<String> {
    let (scheme, value) = header.split_once(' ')?;
    let value = value.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(format!("bearer: {}", shown(value.to_owned()))),
        "basic" => {
            let plain = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
            let (user, password) = plain.split_once(':')?;
            Some(basic(user, password))
        }
        "oauth" => {
            let parameters: Vec<(String, String)> = value.split(',').filter_map(parameter).collect();
            let get = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            let token = get("oauth_token").unwrap_or_default();
            Some(oauth1(get("realm"), get("oauth_consumer_key")?, "", token, ""))
        }
        "aws4-hmac-sha256" => {
            let scope = value.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
            let [id, _date, region, service, ..] = scope.split('/').collect::<Vec<_>>()[..] else { return None };
            Some(sigv4(id, "", Some(session_token).filter(|token| !token.is_empty()), region, service))
        }
        _ => None,
    }
}

/// `name="value"`, percent-decoded.
fn parameter(text: &str) -> Option<(String, String)> {
    let (name, value) = text.trim().split_once('=')?;
    let decoded = percent_decode_str(value.trim().trim_matches('"')).decode_utf8().ok()?;
    Some((name.to_owned(), decoded.into_owned()))
}

/// The lines of a JSON Web Token; `None` if the text is not a token.
fn token(text: &str) -> Option<Vec<String>> {
    let [header, claims, _signature] = text.split('.').collect::<Vec<_>>()[..] else { return None };
    let json = |part: &str| serde_json::from_slice::<Json>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let (header, claims) = (json(header)?, json(claims)?);
    let algorithm = header.get("alg")?.as_str()?.to_owned();
    Some(token_lines(&algorithm, header, claims))
}

fn token_lines(algorithm: &str, header: Json, claims: Json) -> Vec<String> {
    let without = |json: Json, names: &[&str]| match json {
        Json::Object(mut members) => {
            members.retain(|name, _| !names.contains(&name.as_str()));
            Json::Object(members)
        }
        other => other,
    };
    let header =
        Some(without(header, &USUAL_OF_A_TOKEN)).filter(|header| header.as_object().is_some_and(|h| !h.is_empty()));
    jwt_as_lines(algorithm, "", header, &without(claims, &CLAIMS_OF_THE_MOMENT))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use keyferry_egress::{Jwt, JwtAlgorithm, Method, OAuth1, Pair, Part, SigV4};
    use keyferry_types::secret::{Secret, SharedSecret};

    fn secret(value: &str) -> SharedSecret {
        Arc::new(Secret::new(value))
    }

    fn part(value: &str) -> Vec<Part> {
        vec![Part::Secret(secret(value))]
    }

    fn plugin(auth: Option<Auth>, body: Body) -> WireLines {
        let pair = |name: &str, value: &str| Pair { name: name.to_owned(), value: vec![Part::Text(value.to_owned())] };
        WireLines::of_plugin(&Request {
            method: Method::Get,
            origin: "https://API.acme.example:8443".to_owned(),
            path: vec![vec![Part::Text("v1".to_owned())], part("a b")],
            query: vec![pair("fields", "id,name")],
            headers: vec![pair("Accept", "application/json")],
            auth,
            body,
            mint: Vec::new(),
        })
    }

    fn is(plugin: &WireLines, authorization: &str, content_type: &str, body: &str) -> bool {
        let headers = [
            ("host", "api.acme.example:8443"),
            ("user-agent", "Keyferry"),
            ("accept", "application/json"),
            ("authorization", authorization),
            ("content-type", content_type),
            ("x-amz-security-token", "session"),
        ];
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let received = WireLines::received(&ReceivedRequest {
            method: "GET",
            host: "api.acme.example:8443",
            target: "/v1/a%20b?fields=id%2Cname",
            headers: &headers,
            body: body.as_bytes(),
        });
        received.iter().any(|received| plugin.is(received))
    }

    fn signed(header: &str, claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_received_request_is_the_plugins_where_all_but_its_signature_is_the_same() {
        let bearer = plugin(Some(Auth::Bearer(part("t-1"))), Body::Empty);
        assert!(is(&bearer, "Bearer t-1", "", ""));
        assert!(!is(&bearer, "Bearer t-2", "", "") && !is(&bearer, "", "", "") && !is(&bearer, "Bearer t-1", "", "x"));
        assert_eq!((bearer.host(), bearer.place()), ("api.acme.example", "GET https://api.acme.example/v1/a%20b"));

        let basic = plugin(Some(Auth::Basic { user: part("AC1"), password: part("p:w") }), Body::Empty);
        assert!(is(&basic, &format!("Basic {}", STANDARD.encode("AC1:p:w")), "", ""));
        assert!(!is(&basic, &format!("Basic {}", STANDARD.encode("AC1:p")), "", ""));

        let oauth = OAuth1 {
            realm: Some("1_SB1".to_owned()),
            consumer_key: part("c/k"),
            consumer_secret: part("s"),
            token: part("t"),
            token_secret: part("ts"),
        };
        let oauth = plugin(Some(Auth::OAuth1(oauth)), Body::Empty);
        let header = |token: &str| {
            format!(
                "OAuth realm=\"1_SB1\", oauth_consumer_key=\"c%2Fk\", oauth_token=\"{token}\", oauth_nonce=\"n\", \
                 oauth_timestamp=\"1\", oauth_signature=\"x%3D\""
            )
        };
        assert!(is(&oauth, &header("t"), "", "") && !is(&oauth, &header("u"), "", ""));

        let sigv4 = SigV4 {
            access_key_id: part("AKIA1"),
            secret_access_key: part("s"),
            session_token: Some(part("session")),
            region: "us-east-1".to_owned(),
            service: "sts".to_owned(),
        };
        let sigv4 = plugin(Some(Auth::SigV4(sigv4)), Body::Empty);
        let header = |id: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential={id}/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0f"
            )
        };
        assert!(is(&sigv4, &header("AKIA1"), "", "") && !is(&sigv4, &header("AKIA2"), "", ""));
    }

    #[test]
    fn forms_and_json_are_compared_by_content_and_tokens_by_their_claims() {
        let pairs = vec![Pair { name: "client_secret".to_owned(), value: part("a&b") }];
        let form = plugin(None, Body::Form(pairs));
        assert!(is(&form, "", FORM, "client_secret=a%26b") && !is(&form, "", FORM, "client_secret=a"));
        let json =
            plugin(None, Body::Text { content_type: "application/json".to_owned(), content: "{\"a\": 1}".to_owned() });
        assert!(is(&json, "", "application/json; charset=utf-8", "{\"a\":1}"));

        let jwt = Jwt {
            algorithm: JwtAlgorithm::Rs256,
            key: secret("key"),
            header: Some("{\"kid\":\"k1\"}".to_owned()),
            claims: "{\"iss\":\"123\",\"iat\":1,\"exp\":2}".to_owned(),
        };
        let token = plugin(Some(Auth::Bearer(vec![Part::Jwt(jwt)])), Body::Empty);
        let header = "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}";
        let sent = |claims: &str| format!("Bearer {}", signed(header, claims));
        assert!(is(&token, &sent("{\"iss\":\"123\",\"iat\":8,\"exp\":9}"), "", ""));
        assert!(!is(&token, &sent("{\"iss\":\"124\",\"iat\":8,\"exp\":9}"), "", ""));
        // A token of a credential is a value like others.
        let whole = signed(header, "{\"iss\":\"123\"}");
        let own = plugin(Some(Auth::Bearer(part(&whole))), Body::Empty);
        assert!(is(&own, &format!("Bearer {whole}"), "", ""));
    }
}
