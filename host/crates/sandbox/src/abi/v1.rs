//! `wit/v1`: its host functions, and the conversion of its types into the host's.

use wasmtime::component::{HasSelf, Linker, Resource};

use super::super::call_state::CallState;
use super::super::description::SecretAccess;
use super::super::verdict::{FailureKind, Unreachable, Verdict, VerificationFailure, Verified};
use keyferry_egress as egress;
use keyferry_schema::{Credential, Exposure};
use keyferry_types::secret::SharedSecret;

use bindings::exports::keyferry::plugin::app as wire;
use bindings::keyferry::plugin::{clock, http, log, random, secrets};

mod describe;
#[cfg(any(test, feature = "fuzzing"))]
mod from_json;

pub(in super::super) use describe::description;
#[cfg(any(test, feature = "fuzzing"))]
pub use from_json::description_of_json;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../../wit/v1",
        world: "plugin",
        imports: {
            "keyferry:plugin/http.send": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: { "keyferry:plugin/secrets.secret": super::Handle },
    });
}

pub(in super::super) use bindings::{Plugin, PluginPre};

/// Random bytes that one call of `random.bytes` hands out at most.
const MAX_RANDOM: usize = 1024;
/// Characters of a text for people that a plugin returns: a failure's detail, a warning, a name.
const MAX_SENTENCE: usize = 500;
/// Entries of a list that a plugin returns: scopes, warnings, config values.
const MAX_LIST: usize = 100;

/// Maximum wait that a plugin can report, in seconds: a day. A longer one of a provider is a point in time, or in
/// another unit.
const LONGEST_WAIT: u32 = 24 * 60 * 60;

/// The value behind a plugin's handle.
#[expect(unreachable_pub, reason = "the generated module re-exports it, which asks for `pub`")]
pub struct Handle {
    name: String,
    value: SharedSecret,
}

/// Gives a linker the five interfaces.
pub(in super::super) fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    Plugin::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

/// The credential in the contract's words; each secret becomes an entry of the call's table.
pub(in super::super) fn credential(
    state: &mut CallState,
    credential: &Credential,
    access: SecretAccess,
) -> wasmtime::Result<wire::Credential> {
    let mut fields = Vec::with_capacity(credential.fields.len());
    for field in &credential.fields {
        let name = field.name.to_string();
        state.named.field(&name, &field.value);
        let value = match (&field.exposure, access) {
            (Exposure::Plain, _) | (Exposure::Handle { .. }, SecretAccess::PlainText) => {
                wire::Value::Text(field.value.expose().to_owned())
            }
            (Exposure::Handle { hint }, SecretAccess::Handles) => {
                let handle = state.table.push(Handle { name: name.clone(), value: field.value.clone() })?;
                wire::Value::Secret(wire::SecretValue { handle, hint: hint.clone() })
            }
        };
        fields.push(wire::FieldValue { name, value });
    }
    Ok(wire::Credential { auth_type: credential.auth_type.to_string(), fields })
}

impl secrets::Host for CallState {}

impl secrets::HostSecret for CallState {
    fn name(&mut self, handle: Resource<Handle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&handle)?.name.clone())
    }

    fn drop(&mut self, handle: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl clock::Host for CallState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        if let Some(env) = &self.env {
            return Ok(env.now_ms);
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

impl random::Host for CallState {
    fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        let mut bytes = vec![0; (length as usize).min(MAX_RANDOM)];
        if let Some(env) = &mut self.env {
            env.fill(&mut bytes);
            return Ok(bytes);
        }
        getrandom::fill(&mut bytes).map_err(|error| wasmtime::Error::msg(format!("no randomness: {error}")))?;
        Ok(bytes)
    }
}

impl log::Host for CallState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => tracing::Level::TRACE,
            log::Level::Debug => tracing::Level::DEBUG,
            log::Level::Info => tracing::Level::INFO,
            log::Level::Warn => tracing::Level::WARN,
            log::Level::Error => tracing::Level::ERROR,
        };
        self.log(level, &message);
        Ok(())
    }
}

impl http::Host for CallState {
    async fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<http::Response, http::Error>> {
        let request = self.request(request)?;
        match self.send(request).await {
            Ok(response) => Ok(Ok(self.response(response)?)),
            Err(error) => Ok(Err(error_out(error))),
        }
    }
}

impl CallState {
    fn request(&self, request: http::Request) -> wasmtime::Result<egress::Request> {
        Ok(egress::Request {
            method: method(request.method),
            origin: request.origin,
            path: request.path.into_iter().map(|segment| self.parts(segment)).collect::<Result<_, _>>()?,
            query: self.pairs(request.query)?,
            headers: self.pairs(request.headers)?,
            auth: request.auth.map(|auth| self.auth(auth)).transpose()?,
            body: match request.body {
                http::Body::Empty => egress::Body::Empty,
                http::Body::Text(text) => egress::Body::Text { content_type: text.content_type, content: text.content },
                http::Body::Form(fields) => egress::Body::Form(self.pairs(fields)?),
                http::Body::Json(members) => {
                    egress::Body::Json(members.into_iter().map(|m| self.json_member(m)).collect::<Result<_, _>>()?)
                }
            },
            mint: request.mint,
        })
    }

    fn json_member(&self, member: http::JsonMember) -> wasmtime::Result<egress::JsonMember> {
        let value = match member.value {
            http::JsonValue::Literal(json) => egress::JsonValue::Literal(json),
            http::JsonValue::Parts(parts) => egress::JsonValue::Parts(self.parts(parts)?),
        };
        Ok(egress::JsonMember { pointer: member.pointer, value })
    }

    fn auth(&self, auth: http::Auth) -> wasmtime::Result<egress::Auth> {
        Ok(match auth {
            http::Auth::Bearer(token) => egress::Auth::Bearer(self.parts(token)?),
            http::Auth::Basic(basic) => {
                egress::Auth::Basic { user: self.parts(basic.user)?, password: self.parts(basic.password)? }
            }
            http::Auth::Oauth1(oauth1) => egress::Auth::OAuth1(egress::OAuth1 {
                realm: oauth1.realm,
                consumer_key: self.parts(oauth1.consumer_key)?,
                consumer_secret: self.parts(oauth1.consumer_secret)?,
                token: self.parts(oauth1.token)?,
                token_secret: self.parts(oauth1.token_secret)?,
            }),
            http::Auth::Sigv4(sigv4) => egress::Auth::SigV4(egress::SigV4 {
                access_key_id: self.parts(sigv4.access_key_id)?,
                secret_access_key: self.parts(sigv4.secret_access_key)?,
                session_token: sigv4.session_token.map(|token| self.parts(token)).transpose()?,
                region: sigv4.region,
                service: sigv4.service,
            }),
        })
    }

    fn pairs(&self, pairs: Vec<http::Pair>) -> wasmtime::Result<Vec<egress::Pair>> {
        pairs.into_iter().map(|pair| Ok(egress::Pair { name: pair.name, value: self.parts(pair.value)? })).collect()
    }

    fn parts(&self, parts: Vec<http::Part>) -> wasmtime::Result<Vec<egress::Part>> {
        parts.into_iter().map(|part| self.part(part)).collect()
    }

    fn part(&self, part: http::Part) -> wasmtime::Result<egress::Part> {
        Ok(match part {
            http::Part::Text(text) => egress::Part::Text(text),
            http::Part::Secret(handle) => egress::Part::Secret(self.table.get(&handle)?.value.clone()),
            http::Part::Jwt(jwt) => egress::Part::Jwt(egress::Jwt {
                algorithm: match jwt.algorithm {
                    http::JwtAlgorithm::Rs256 => egress::JwtAlgorithm::Rs256,
                    http::JwtAlgorithm::Es256 => egress::JwtAlgorithm::Es256,
                },
                key: self.table.get(&jwt.key)?.value.clone(),
                header: jwt.header,
                claims: jwt.claims,
            }),
        })
    }

    fn response(&mut self, response: egress::Response) -> wasmtime::Result<http::Response> {
        let mut minted = Vec::with_capacity(response.minted.len());
        for one in response.minted {
            self.named.minted(&one.pointer, &one.token);
            let token = self.table.push(Handle { name: one.pointer.clone(), value: one.token })?;
            minted.push(http::Minted { pointer: one.pointer, token });
        }
        Ok(http::Response { status: response.status, headers: response.headers, body: response.body, minted })
    }
}

fn method(method: http::Method) -> egress::Method {
    match method {
        http::Method::Get => egress::Method::Get,
        http::Method::Head => egress::Method::Head,
        http::Method::Post => egress::Method::Post,
        http::Method::Put => egress::Method::Put,
        http::Method::Patch => egress::Method::Patch,
        http::Method::Delete => egress::Method::Delete,
    }
}

fn error_out(error: egress::SendError) -> http::Error {
    let kind = match error.kind {
        egress::ErrorKind::Denied(missing) => http::ErrorKind::Denied(missing),
        egress::ErrorKind::InvalidRequest => http::ErrorKind::InvalidRequest,
        egress::ErrorKind::Dns => http::ErrorKind::Dns,
        egress::ErrorKind::Refused => http::ErrorKind::Refused,
        egress::ErrorKind::Tls => http::ErrorKind::Tls,
        egress::ErrorKind::Timeout => http::ErrorKind::Timeout,
        egress::ErrorKind::TooLarge => http::ErrorKind::TooLarge,
        egress::ErrorKind::BudgetExhausted => http::ErrorKind::BudgetExhausted,
        egress::ErrorKind::Transport => http::ErrorKind::Transport,
    };
    http::Error { kind, message: error.message, sent: error.sent }
}

/// The verdict on a value that no request could be built with. It replaces the plugin's own verdict.
pub(in super::super) fn unusable(state: &CallState) -> Option<Verdict> {
    let unusable = state.unusable.as_ref()?;
    Some(unusable.verdict(|detail| state.sentence(detail, MAX_SENTENCE)))
}

/// A plugin's verdict. Every text in it is redacted and cut, since it is shown to callers.
pub(in super::super) fn verdict(state: &CallState, wire: Result<wire::Verified, wire::Failure>) -> Verdict {
    let sentence = |text: String| state.sentence(&text, MAX_SENTENCE);
    let list = |texts: Vec<String>| texts.into_iter().take(MAX_LIST).map(sentence).collect::<Vec<_>>();
    match wire {
        Ok(verified) => Verdict::Verified(Verified {
            provider_account_id: verified.account_id.map(sentence),
            display_name: verified.display_name.map(sentence),
            scopes: list(verified.scopes),
            expires_at: verified.expires_at,
            warnings: list(verified.warnings),
            config: verified.config.into_iter().take(MAX_LIST).map(|(k, v)| (sentence(k), sentence(v))).collect(),
            contact: state.contact(),
        }),
        Err(failure) => {
            let kind = match failure.kind {
                wire::FailureKind::Rejected(fields) => FailureKind::Rejected(list(fields)),
                wire::FailureKind::InsufficientScope(scopes) => FailureKind::InsufficientScope(list(scopes)),
                wire::FailureKind::WrongTenant(fields) => FailureKind::WrongTenant(list(fields)),
                wire::FailureKind::AccountSuspended => FailureKind::AccountSuspended,
                wire::FailureKind::RateLimited(seconds) => {
                    let wait = seconds.or(state.retry_after);
                    FailureKind::RateLimited(wait.map(|seconds| seconds.min(LONGEST_WAIT)))
                }
                wire::FailureKind::Unreachable(kind) => FailureKind::Unreachable(unreachable_kind(kind)),
                wire::FailureKind::ProviderError(status) => FailureKind::ProviderError(status),
                wire::FailureKind::UnexpectedAnswer => FailureKind::UnexpectedAnswer,
                wire::FailureKind::NotVerifiable => FailureKind::NotVerifiable,
            };
            Verdict::Failed(VerificationFailure { kind, detail: sentence(failure.detail), contact: state.contact() })
        }
    }
}

fn unreachable_kind(kind: wire::UnreachableKind) -> Unreachable {
    match kind {
        wire::UnreachableKind::Dns => Unreachable::Dns,
        wire::UnreachableKind::Refused => Unreachable::Refused,
        wire::UnreachableKind::Tls => Unreachable::Tls,
        wire::UnreachableKind::Timeout => Unreachable::Timeout,
        wire::UnreachableKind::Denied => Unreachable::Denied,
        wire::UnreachableKind::Transport => Unreachable::Transport,
    }
}
