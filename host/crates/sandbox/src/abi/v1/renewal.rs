//! Renewal: what a plugin says of it, the OAuth client that it gets, and its result.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmtime::component::Resource;

use super::bindings::{Handle, MAX_SENTENCE, renewal as wire};
use super::description::grant;
use super::verdict::{LONGEST_WAIT, MAX_LIST, unreachable_kind};
use crate::call_state::CallState;
use crate::description::AppDescription;
use crate::renewal::{ClientUse, Renewable, RenewalClient, RenewalFailure, RenewalFailureKind, Renewed, Rotation};
use keyferry_schema::{AuthType, FieldKind, Secrecy};
use keyferry_types::ids::FieldName;
use keyferry_types::secret::SharedSecret;

/// Pairs that one plugin can renew.
const MAX_RENEWABLES: usize = 16;
/// Requests of one pair's renewal.
const MAX_GRANTS: usize = 64;
/// The longest lives that are believed, in seconds: ten years.
const MAX_LIFE: u32 = 10 * 366 * 24 * 60 * 60;

/// The pairs that a plugin can renew, checked against its schema.
///
/// # Errors
/// The first part that is not valid, for the plugin's author.
pub(crate) fn renewables(wire: Vec<wire::Renewable>, app: &AppDescription) -> Result<Vec<Renewable>, String> {
    if wire.len() > MAX_RENEWABLES {
        return Err(format!("renewal: {} pairs are described, and at most {MAX_RENEWABLES} can be", wire.len()));
    }
    let mut known: Vec<Renewable> = Vec::with_capacity(wire.len());
    for pair in wire {
        let pair = renewable(pair, app)?;
        if known.iter().any(|other| other.auth_type == pair.auth_type && other.access_token == pair.access_token) {
            return Err(format!("renewal of {}.{}: it is described twice", pair.auth_type, pair.access_token));
        }
        known.push(pair);
    }
    Ok(known)
}

fn renewable(wire: wire::Renewable, app: &AppDescription) -> Result<Renewable, String> {
    let name: String = wire.auth_type.chars().take(80).collect();
    let auth_type =
        app.schema.auth_type(&name).ok_or_else(|| format!("renewal of `{name}`: there is no such auth type"))?;
    let place = |problem: String| {
        format!("renewal of {name}.{}: {problem}", wire.access_token.chars().take(80).collect::<String>())
    };
    let secret = |field: &str| field_of(auth_type, field, Secrecy::Secret, None);
    let access_token = secret(&wire.access_token).map_err(place)?;
    let refresh_token = wire.refresh_token.as_deref().map(secret).transpose().map_err(place)?;
    let number = |field: &str| field_of(auth_type, field, Secrecy::Plain, Some(FieldKind::Number));
    let expires_at = wire.expires_at.as_deref().map(number).transpose().map_err(place)?;
    if refresh_token.as_ref() == Some(&access_token) {
        return Err(place("access token and refresh token are one field".to_owned()));
    }
    if wire.grants.is_empty() || wire.grants.len() > MAX_GRANTS {
        return Err(place(format!("it needs 1 to {MAX_GRANTS} grants")));
    }
    let requested = wire.grants.iter().cloned().map(grant).collect::<Result<_, _>>().map_err(place)?;
    let life = |seconds: Option<u32>| match seconds {
        Some(seconds) if !(1..=MAX_LIFE).contains(&seconds) => {
            Err(place(format!("a life of {seconds} s is not between a second and ten years")))
        }
        seconds => Ok(seconds.map(|seconds| Duration::from_secs(u64::from(seconds)))),
    };
    Ok(Renewable {
        access_life: life(wire.access_life)?,
        idle_life: life(wire.idle_life)?,
        auth_type: auth_type.name.clone(),
        access_token,
        refresh_token,
        expires_at,
        requested,
        client: match wire.client {
            wire::ClientUse::None => ClientUse::None,
            wire::ClientUse::Id => ClientUse::Id,
            wire::ClientUse::IdAndSecret => ClientUse::IdAndSecret,
        },
        rotation: match wire.rotation {
            wire::Rotation::Stays => Rotation::Stays,
            wire::Rotation::SingleUse => Rotation::SingleUse,
            wire::Rotation::Grace(seconds) => Rotation::Grace(Duration::from_secs(u64::from(seconds.min(MAX_LIFE)))),
            wire::Rotation::UntilNextUsed => Rotation::UntilNextUsed,
        },
    })
}

fn field_of(auth_type: &AuthType, name: &str, secrecy: Secrecy, kind: Option<FieldKind>) -> Result<FieldName, String> {
    let shown: String = name.chars().take(80).collect();
    match auth_type.field(name) {
        Some(field) if field.secrecy == secrecy && kind.is_none_or(|kind| field.spec.kind == kind) => {
            Ok(field.name.clone())
        }
        Some(_) => Err(format!(
            "`{shown}` is not {}",
            if secrecy == Secrecy::Secret { "a secret field" } else { "a plain field of kind number" }
        )),
        None => Err(format!("there is no field `{shown}`")),
    }
}

/// The OAuth client in the contract's words.
pub(crate) fn client(state: &mut CallState, client: &RenewalClient) -> wasmtime::Result<wire::Client> {
    let mut handle = |name: &str, value: &SharedSecret| {
        state.named.field(name, value);
        state.table.push(Handle { name: name.to_owned(), value: value.clone() })
    };
    let id = handle("client_id", &client.id)?;
    let secret = client.secret.as_ref().map(|secret| handle("client_secret", secret)).transpose()?;
    Ok(wire::Client { id, secret })
}

/// The result of a renewal. Its texts are redacted and cut; its tokens are taken out of the call's table.
pub(crate) fn renewed(
    state: &mut CallState,
    wire: Result<wire::Renewed, wire::RenewalFailure>,
) -> wasmtime::Result<Result<Renewed, RenewalFailure>> {
    let wire = match wire {
        Ok(wire) => wire,
        Err(failure) => return Ok(Err(failed(state, failure))),
    };
    let mut token = |handle: Resource<Handle>| state.table.delete(handle).map(|handle| handle.value);
    let access_token = token(wire.access_token)?;
    let refresh_token = wire.refresh_token.map(token).transpose()?;
    let sentence = |text: String| state.sentence(&text, MAX_SENTENCE);
    let mut fields = BTreeMap::new();
    for (name, value) in wire.fields.into_iter().take(MAX_LIST) {
        let name = name.parse().map_err(|_| wasmtime::Error::msg("a renewed field has no valid name"))?;
        fields.insert(name, sentence(value));
    }
    Ok(Ok(Renewed {
        access_token,
        refresh_token,
        expires_at: wire.expires_at,
        refresh_expires_at: wire.refresh_expires_at,
        scopes: wire.scopes.map(|scopes| scopes.into_iter().take(MAX_LIST).map(sentence).collect()),
        fields,
    }))
}

fn failed(state: &CallState, failure: wire::RenewalFailure) -> RenewalFailure {
    let sentence = |text: String| state.sentence(&text, MAX_SENTENCE);
    let kind = match failure.kind {
        wire::RenewalFailureKind::Ended => RenewalFailureKind::Ended,
        wire::RenewalFailureKind::ClientRefused => RenewalFailureKind::ClientRefused,
        wire::RenewalFailureKind::NotRenewable(fields) => {
            RenewalFailureKind::NotRenewable(fields.into_iter().take(MAX_LIST).map(sentence).collect())
        }
        wire::RenewalFailureKind::RateLimited(seconds) => {
            RenewalFailureKind::RateLimited(seconds.or(state.retry_after).map(|seconds| seconds.min(LONGEST_WAIT)))
        }
        wire::RenewalFailureKind::Unreachable(kind) => RenewalFailureKind::Unreachable(unreachable_kind(kind)),
        wire::RenewalFailureKind::ProviderError(status) => RenewalFailureKind::ProviderError(status),
        wire::RenewalFailureKind::UnexpectedAnswer => RenewalFailureKind::UnexpectedAnswer,
    };
    RenewalFailure { kind, detail: sentence(failure.detail), contact: state.contact() }
}
