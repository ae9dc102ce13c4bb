//! Requests written as lines: a plugin's request and a case file's, in the same words, so that two are equal where
//! their lines are, and a difference can be shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::file::{BasicFile, ExchangeFile, JwtFile, OAuth1File, OneOrMany, SigV4File};
use super::url;
use keyferry_egress::{Auth, Body, JsonMember, JsonValue, Jwt, Pair, Part, Request};
use keyferry_types::secret::SharedSecret;

/// Secrets, and the name of each in a case file.
#[derive(Debug, Clone, Default)]
pub(crate) struct SecretNames(Vec<(SharedSecret, String)>);

impl SecretNames {
    pub(crate) fn add(&mut self, secret: &SharedSecret, name: impl Into<String>) {
        self.0.push((Arc::clone(secret), name.into()));
    }

    /// Each secret and its name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SharedSecret, &str)> {
        self.0.iter().map(|(secret, name)| (secret, name.as_str()))
    }

    /// The name of the last secret that is the same allocation, or else has the same value: two fields may have one value.
    fn name_of(&self, secret: &SharedSecret) -> String {
        let mut found = self.0.iter().rev();
        let name = found
            .clone()
            .find(|(known, _)| Arc::ptr_eq(known, secret))
            .or_else(|| found.find(|(known, _)| known.expose() == secret.expose()))
            .map_or("unknown secret", |(_, name)| name);
        format!("{{{{{name}}}}}")
    }
}

/// A plugin's request as lines.
pub(crate) fn request_lines(request: &Request, names: &SecretNames) -> Vec<String> {
    let mut writer = LineWriter::naming(names);
    let segments: Vec<_> = request.path.iter().map(|segment| writer.text(segment)).collect();
    let query = writer.pairs(&request.query);
    let mut lines = vec![format!("{} {}", request.method, url::shown(&request.origin, &segments, &query))];
    lines.extend(headers(writer.pairs(&request.headers)));
    lines.extend(request.auth.as_ref().map(|auth| writer.auth(auth)));
    lines.extend(match &request.body {
        Body::Empty => Vec::new(),
        Body::Form(fields) => form_lines(writer.pairs(fields)),
        Body::Text { content_type, content } => content_lines(content_type, content),
        Body::Json(members) => json_lines(&writer.json(members)),
    });
    lines.extend(writer.jwts.iter().flat_map(|jwt| jwt_lines(jwt, names)));
    lines.extend(mints(&request.mint));
    lines
}

/// A plugin's request in the form of a case file. `lines` is the same request, as [`request_lines`] writes it.
pub(super) fn to_file(request: &Request, lines: &[String], names: &SecretNames) -> ExchangeFile {
    let mut writer = LineWriter::naming(names);
    let url = lines.first().and_then(|line| line.split_once(' ')).map(|(_, url)| url.to_owned()).unwrap_or_default();
    let mut file =
        ExchangeFile { method: request.method.to_string(), url, mint: request.mint.clone(), ..ExchangeFile::default() };
    let by_name = |pairs: Vec<(String, String)>| {
        let mut map: BTreeMap<String, OneOrMany> = BTreeMap::new();
        for (name, value) in pairs {
            let values = map.remove(&name).map(|values| values.as_slice().to_vec()).unwrap_or_default();
            let all = [values, vec![value.clone()]].concat();
            map.insert(name, if all.len() == 1 { OneOrMany::One(value) } else { OneOrMany::Many(all) });
        }
        map
    };
    file.headers = by_name(writer.pairs(&request.headers));
    match &request.auth {
        None => {}
        Some(Auth::Bearer(token)) => file.bearer = Some(writer.text(token)),
        Some(Auth::Basic { user, password }) => {
            file.basic = Some(BasicFile { user: writer.text(user), password: writer.text(password) });
        }
        Some(Auth::OAuth1(signature)) => {
            file.oauth1 = Some(OAuth1File {
                realm: signature.realm.clone(),
                consumer_key: writer.text(&signature.consumer_key),
                consumer_secret: writer.text(&signature.consumer_secret),
                token: writer.text(&signature.token),
                token_secret: writer.text(&signature.token_secret),
            });
        }
        Some(Auth::SigV4(signature)) => {
            file.sigv4 = Some(SigV4File {
                access_key_id: writer.text(&signature.access_key_id),
                secret_access_key: writer.text(&signature.secret_access_key),
                session_token: signature.session_token.as_deref().map(|token| writer.text(token)),
                region: signature.region.clone(),
                service: signature.service.clone(),
            });
        }
    }
    match &request.body {
        Body::Empty => {}
        Body::Form(fields) => file.form = Some(by_name(writer.pairs(fields))),
        Body::Text { content_type, content } => {
            file.text = Some(content.clone());
            file.content_type = Some(content_type.clone());
        }
        Body::Json(members) => file.json = Some(toml::Value::String(writer.json(members).to_string())),
    }
    file.jwt = writer.jwts.iter().map(|jwt| jwt_file(jwt, names)).collect();
    file
}

/// What is written for a secret.
enum Shown<'r> {
    Name(&'r SecretNames),
    /// The value itself, and nothing for a secret that only signs.
    Value,
}

/// Writes parts as text, and collects the JWTs in them.
pub(super) struct LineWriter<'r> {
    shown: Shown<'r>,
    pub(super) jwts: Vec<&'r Jwt>,
}

impl<'r> LineWriter<'r> {
    /// Secrets are written as `{{name}}`.
    fn naming(names: &'r SecretNames) -> Self {
        Self { shown: Shown::Name(names), jwts: Vec::new() }
    }

    /// Secrets are written as they are sent.
    pub(super) fn exposing() -> Self {
        Self { shown: Shown::Value, jwts: Vec::new() }
    }

    pub(super) fn text(&mut self, parts: &'r [Part]) -> String {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Secret(secret) => match self.shown {
                    Shown::Name(names) => text.push_str(&names.name_of(secret)),
                    Shown::Value => text.push_str(secret.expose()),
                },
                Part::Jwt(jwt) => {
                    self.jwts.push(jwt);
                    text.push_str("{{jwt}}");
                }
            }
        }
        text
    }

    /// A value that signs a request and is not sent.
    fn signing(&mut self, parts: &'r [Part]) -> String {
        match self.shown {
            Shown::Name(_) => self.text(parts),
            Shown::Value => String::new(),
        }
    }

    pub(super) fn pairs(&mut self, pairs: &'r [Pair]) -> Vec<(String, String)> {
        pairs.iter().map(|pair| (pair.name.clone(), self.text(&pair.value))).collect()
    }

    pub(super) fn auth(&mut self, auth: &'r Auth) -> String {
        match auth {
            Auth::Bearer(token) => format!("bearer: {}", self.text(token)),
            Auth::Basic { user, password } => basic(&self.text(user), &self.text(password)),
            Auth::OAuth1(signature) => oauth1(
                signature.realm.as_deref(),
                &self.text(&signature.consumer_key),
                &self.signing(&signature.consumer_secret),
                &self.text(&signature.token),
                &self.signing(&signature.token_secret),
            ),
            Auth::SigV4(signature) => sigv4(
                &self.text(&signature.access_key_id),
                &self.signing(&signature.secret_access_key),
                signature.session_token.as_deref().map(|token| self.text(token)).as_deref(),
                &signature.region,
                &signature.service,
            ),
        }
    }

    /// A JSON body put together of members. Egress has its own way of doing it, with secrets in; both follow RFC 6901.
    pub(super) fn json(&mut self, members: &'r [JsonMember]) -> Json {
        let mut root = Json::Object(serde_json::Map::new());
        for member in members {
            let value = match &member.value {
                JsonValue::Literal(literal) => serde_json::from_str(literal).unwrap_or(Json::String(literal.clone())),
                JsonValue::Parts(parts) => Json::String(self.text(parts)),
            };
            let mut node = &mut root;
            for step in member.pointer.split('/').skip(1) {
                let name = step.replace("~1", "/").replace("~0", "~");
                if !node.is_object() {
                    *node = Json::Object(serde_json::Map::new());
                }
                let Json::Object(object) = node else { break };
                node = object.entry(name).or_insert_with(|| Json::Object(serde_json::Map::new()));
            }
            *node = value;
        }
        root
    }
}

/// The request of a case file as lines.
///
/// # Errors
/// The first mistake in it.
pub(super) fn expected(exchange: &ExchangeFile) -> Result<Vec<String>, String> {
    let method: keyferry_egress::Method = exchange
        .method
        .to_ascii_uppercase()
        .parse()
        .map_err(|error: keyferry_egress::InvalidGrant| error.to_string())?;
    let mut lines = vec![format!("{method} {}", url::normal(&exchange.url)?)];
    lines.extend(headers(flat(&exchange.headers)));
    let auths = [
        exchange.bearer.as_ref().map(|token| format!("bearer: {token}")),
        exchange.basic.as_ref().map(|auth| basic(&auth.user, &auth.password)),
        exchange
            .oauth1
            .as_ref()
            .map(|s| oauth1(s.realm.as_deref(), &s.consumer_key, &s.consumer_secret, &s.token, &s.token_secret)),
        exchange
            .sigv4
            .as_ref()
            .map(|s| sigv4(&s.access_key_id, &s.secret_access_key, s.session_token.as_deref(), &s.region, &s.service)),
    ];
    let auths: Vec<_> = auths.into_iter().flatten().collect();
    if auths.len() > 1 {
        return Err("a request has one of `bearer`, `basic`, `oauth1` and `sigv4`".to_owned());
    }
    lines.extend(auths);
    match (&exchange.form, &exchange.json, &exchange.text) {
        (None, None, None) => {}
        (Some(form), None, None) => lines.extend(form_lines(flat(form))),
        (None, Some(json), None) => lines.extend(json_lines(&json_of(json)?)),
        (None, None, Some(text)) => {
            let content_type = exchange.content_type.as_deref().ok_or("`text` needs a `content-type`")?;
            lines.extend(content_lines(content_type, text));
        }
        _ => return Err("a request has one of `form`, `json` and `text`".to_owned()),
    }
    for jwt in &exchange.jwt {
        lines.extend(expected_jwt(jwt)?);
    }
    lines.extend(mints(&exchange.mint));
    Ok(lines)
}

/// JSON in a case file: a text that is JSON, or a TOML table or array.
pub(super) fn json_of(value: &toml::Value) -> Result<Json, String> {
    match value {
        toml::Value::String(text) => serde_json::from_str(text)
            .map_err(|error| format!("`json` is not JSON: {error}; use `text` for anything else")),
        other => serde_json::to_value(other).map_err(|error| format!("`json` cannot be written as JSON: {error}")),
    }
}

fn flat(pairs: &BTreeMap<String, OneOrMany>) -> Vec<(String, String)> {
    pairs.iter().flat_map(|(name, values)| values.as_slice().iter().map(|v| (name.clone(), v.clone()))).collect()
}

/// Headers by name: their order means nothing.
pub(super) fn headers(mut pairs: Vec<(String, String)>) -> Vec<String> {
    pairs.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("header {name}: {value}")).collect()
}

pub(super) fn form_lines(mut pairs: Vec<(String, String)>) -> Vec<String> {
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("form {name}={value}")).collect()
}

pub(super) fn basic(user: &str, password: &str) -> String {
    format!("basic: user {user:?} password {password:?}")
}

pub(super) fn oauth1(realm: Option<&str>, key: &str, secret: &str, token: &str, token_secret: &str) -> String {
    let realm = realm.map(|realm| format!(" realm {realm:?}")).unwrap_or_default();
    format!(
        "oauth1:{realm} consumer-key {key:?} consumer-secret {secret:?} token {token:?} token-secret {token_secret:?}"
    )
}

pub(super) fn sigv4(id: &str, secret: &str, session: Option<&str>, region: &str, service: &str) -> String {
    let session = session.map(|token| format!(" session-token {token:?}")).unwrap_or_default();
    format!("sigv4: access-key-id {id:?} secret-access-key {secret:?}{session} region {region:?} service {service:?}")
}

fn mints(pointers: &[String]) -> impl Iterator<Item = String> {
    pointers.iter().map(|pointer| format!("mint {pointer}"))
}

pub(super) fn json_lines(json: &Json) -> Vec<String> {
    let text = serde_json::to_string_pretty(json).unwrap_or_default();
    text.lines()
        .enumerate()
        .map(|(i, line)| if i == 0 { format!("json {line}") } else { format!("     {line}") })
        .collect()
}

/// Content given as text: JSON is compared as JSON.
pub(super) fn content_lines(content_type: &str, content: &str) -> Vec<String> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let json = essence.eq_ignore_ascii_case("application/json").then(|| serde_json::from_str(content).ok()).flatten();
    match json {
        Some(json) => json_lines(&json),
        None => {
            let lines = content.lines().map(|line| format!("text {line}"));
            std::iter::once(format!("content-type: {content_type}")).chain(lines).collect()
        }
    }
}

fn jwt_file(jwt: &Jwt, names: &SecretNames) -> JwtFile {
    JwtFile {
        algorithm: jwt.algorithm.as_str().to_owned(),
        key: names.name_of(&jwt.key),
        header: jwt.header.clone().map(toml::Value::String),
        claims: toml::Value::String(jwt.claims.clone()),
    }
}

fn jwt_lines(jwt: &Jwt, names: &SecretNames) -> Vec<String> {
    let json = |text: &str| serde_json::from_str(text).unwrap_or(Json::String(text.to_owned()));
    jwt_as_lines(jwt.algorithm.as_str(), &names.name_of(&jwt.key), jwt.header.as_deref().map(json), &json(&jwt.claims))
}

fn expected_jwt(jwt: &JwtFile) -> Result<Vec<String>, String> {
    let header = jwt.header.as_ref().map(json_of).transpose()?;
    Ok(jwt_as_lines(&jwt.algorithm.to_ascii_uppercase(), &jwt.key, header, &json_of(&jwt.claims)?))
}

pub(super) fn jwt_as_lines(algorithm: &str, key: &str, header: Option<Json>, claims: &Json) -> Vec<String> {
    let header = header.map(|header| format!("jwt header {header}"));
    let lines = [Some(format!("jwt {algorithm} key {key}")), header, Some(format!("jwt claims {claims}"))];
    lines.into_iter().flatten().collect()
}
