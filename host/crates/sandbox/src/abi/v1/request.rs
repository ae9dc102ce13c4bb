//! A plugin's HTTP requests, with the values of handles in them, and the responses.

use keyferry_egress as egress;

use super::bindings::{Handle, http, method};
use crate::call_state::CallState;

impl CallState {
    pub(super) fn request(&self, request: http::Request) -> wasmtime::Result<egress::Request> {
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

    pub(super) fn response(&mut self, response: egress::Response) -> wasmtime::Result<http::Response> {
        let mut minted = Vec::with_capacity(response.minted.len());
        for one in response.minted {
            self.named.minted(&one.pointer, &one.token);
            let token = self.table.push(Handle { name: one.pointer.clone(), value: one.token })?;
            minted.push(http::Minted { pointer: one.pointer, token });
        }
        Ok(http::Response { status: response.status, headers: response.headers, body: response.body, minted })
    }
}

/// Why a request got no response, as the plugin sees it.
pub(super) fn error_out(error: egress::SendError) -> http::Error {
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
