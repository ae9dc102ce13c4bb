//! A plugin's description as it leaves the sandbox.

use keyferry_sandbox::description_of_json;
use keyferry_schema::Input;

/// Characters of a refusal: the text of one pattern, and what is wrong with it.
const LONGEST: usize = 16 * 1024;

/// A description is taken whole, and then any credential can be checked against it, or refused with a message to read.
///
/// The bytes are the description in JSON, member by member as the contract has it.
pub fn description(bytes: &[u8]) {
    let Some(described) = description_of_json(bytes) else { return };
    let app = match described {
        Ok(app) => app,
        Err(message) => {
            assert!(!message.is_empty() && message.len() <= LONGEST, "{} characters: {message:.200}", message.len());
            return;
        }
    };
    let types = app.schema.types();
    assert!(!types.is_empty() && types.iter().all(|auth_type| !auth_type.fields.is_empty()));
    for (index, auth_type) in types.iter().enumerate() {
        let found = app.schema.auth_type(auth_type.name.as_str()).expect("an auth type is found by its name");
        assert!(std::ptr::eq(found, auth_type), "auth type {index} is there twice");
        assert!(auth_type.json_schema().is_object());
        let members = auth_type.fields.iter().map(|field| {
            let value = field.spec.example.clone().or_else(|| field.spec.default.clone()).unwrap_or_default();
            (field.name.to_string(), serde_json::Value::String(value))
        });
        let sent = serde_json::json!({ auth_type.name.as_str(): serde_json::Map::from_iter(members) });
        let sent: Input = serde_json::from_value(sent).expect("JSON is JSON");
        // Whether it fits is the description's own affair.
        let _ = app.schema.validate(&sent);
    }
    for grant in &app.requested {
        assert_eq!(grant.to_string().parse().as_ref(), Ok(grant));
        assert!(!grant.methods.is_empty());
    }
}
