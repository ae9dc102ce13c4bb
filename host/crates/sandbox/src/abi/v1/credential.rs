//! Hands a credential to a plugin.

use keyferry_schema::{Credential, Exposure};

use super::bindings::{Handle, wire};
use crate::call_state::CallState;
use crate::description::SecretAccess;

/// The credential in the contract's words; each secret becomes an entry of the call's table.
pub(crate) fn credential(
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
