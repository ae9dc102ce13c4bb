//! The body of a request: untrusted JSON, checked against an app's schema.

use std::sync::LazyLock;

use keyferry_api::json_of;
use keyferry_schema::{AuthSchema, AuthTypeSpec, Choice, FieldKind, FieldSpec, Input};

/// Values shorter than this occur in messages by chance.
const TELLING: usize = 8;

/// An app with a field of each kind, and with all that a field can be asked to fit.
static SCHEMA: LazyLock<AuthSchema> = LazyLock::new(|| {
    let field = |name: &str, kind| FieldSpec { name: name.into(), label: name.into(), kind, ..FieldSpec::default() };
    let secret = |name: &str| FieldSpec { secret: true, required: true, ..field(name, FieldKind::Text) };
    let keybased = vec![
        FieldSpec { min_length: Some(4), max_length: Some(16), hint: Some("^[a-z]+-".into()), ..secret("api_key") },
        FieldSpec { pattern: Some("[0-9]{3,6}".into()), ..field("account_id", FieldKind::Text) },
        field("count", FieldKind::Number),
        field("sandbox", FieldKind::Boolean),
        field("base_url", FieldKind::Url),
        FieldSpec {
            options: ["eu", "us"].map(|value| Choice { value: value.into(), label: value.into() }).into(),
            default: Some("eu".into()),
            ..field("region", FieldKind::Select)
        },
        field("notes", FieldKind::Multiline),
    ];
    let types = [("keybased", keybased), ("oauth2", vec![secret("access_token"), field("scope", FieldKind::Text)])];
    AuthSchema::parse(
        types.map(|(name, fields)| AuthTypeSpec { name: name.into(), fields, ..AuthTypeSpec::default() }).into(),
    )
    .expect("the schema holds together")
});

/// Whatever is sent is read or refused, what is read has one meaning, and no message shows a value.
pub fn request_body(bytes: &[u8]) {
    let input: Input = match json_of(bytes) {
        Ok(input) => input,
        Err(message) => {
            // The error does not quote the input: its message has a fixed text and numbers.
            assert!(message.contains("invalid_json"), "{message}");
            for word in String::from_utf8_lossy(bytes).split(|c: char| !c.is_ascii_alphanumeric()) {
                let is_ours = FIXED.iter().any(|text| text.contains(word));
                assert!(word.len() < TELLING || is_ours || !message.contains(word), "{word} in {message}");
            }
            return;
        }
    };
    let again: Input = serde_json::from_slice(bytes).expect("what was read once is read again");
    assert_eq!(*input.canonical(), *again.canonical());
    let mut values = Vec::new();
    collect(&input, &mut values);
    assert_eq!(format!("{input:?}"), kinds(&input), "what is printed follows from the kinds of the values alone");
    match SCHEMA.validate(&input) {
        Ok(credential) => {
            assert!(credential.fields.iter().all(|field| !field.value.is_empty()), "{credential:?}");
            let printed = format!("{credential:?}");
            assert!(!values.iter().any(|value| is_told(value, &printed, &input)), "{printed}");
        }
        Err(violations) => {
            assert!(!violations.list().is_empty());
            let text = violations.to_string();
            assert!(!values.iter().any(|value| is_told(value, &text, &input)), "{text}");
        }
    }
}

/// What may be printed of a value.
fn kinds(input: &Input) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match input {
        Input::Array(items) => format!("[{}]", list(items.iter().map(kinds).collect())),
        Input::Object(members) => {
            format!("{{{}}}", list(members.iter().map(|(_, value)| format!("\"***\": {}", kinds(value))).collect()))
        }
        scalar => scalar.kind().to_owned(),
    }
}

/// Words of the messages themselves.
const FIXED: [&str; 2] = [
    "the request body is not valid JSON: there is a syntax error at line column an object holds the same member twice it is \
     nested too deeply a value has the wrong type it ends too early it is empty it could not be read",
    "Failure documented Envelope status error SERVER_ERROR kind None code invalid_json message detail errors retry_after headers",
];

/// All texts of a value.
fn collect<'i>(input: &'i Input, values: &mut Vec<&'i str>) {
    match input {
        Input::Text(text) => values.push(text.expose()),
        Input::Array(items) => items.iter().for_each(|item| collect(item, values)),
        Input::Object(members) => members.iter().for_each(|(_, value)| collect(value, values)),
        Input::Null | Input::Bool(_) | Input::Number(_) => {}
    }
}

/// Whether a message quotes a value of the input. Names of members may be quoted.
fn is_told(value: &str, message: &str, input: &Input) -> bool {
    value.len() >= TELLING && message.contains(value) && !is_name(value, input) && !known().contains(value)
}

fn is_name(text: &str, input: &Input) -> bool {
    match input {
        Input::Object(members) => {
            members.iter().any(|(name, value)| format!("{name:?}{name}").contains(text) || is_name(text, value))
        }
        Input::Array(items) => items.iter().any(|item| is_name(text, item)),
        Input::Null | Input::Bool(_) | Input::Number(_) | Input::Text(_) => false,
    }
}

/// What messages and `Debug` are made of besides: the schema's own words, and those of this program.
fn known() -> &'static str {
    static KNOWN: LazyLock<String> = LazyLock::new(|| {
        let words = "auth_object must have exactly one key, naming the auth type; it has none read as the older flat form, its \
                     fields fit none of them, and is a string a number a boolean an array an object null Credential \
                     auth_type fields CredentialField exposure AuthTypeName FieldName Object Number warnings was taken without \
                     the blanks around it, without the quotes around it, without `Authorization` `Proxy-Authorization` before it, \
                     holds the invisible character, remove it, or copy the value anew from where it was issued, no-break space, \
                     zero width space, text direction, byte order mark, a curly quote";
        let empty: [&[u8]; 4] = [b"{}", b"[]", b"{\"keybased\":{\"x\":1}}", b"{\"oauth2\":{\"x\":1}}"];
        let violations = empty.map(|body| {
            let input: Input = serde_json::from_slice(body).unwrap();
            SCHEMA.validate(&input).unwrap_err().to_string()
        });
        format!("{words}{violations:?}{SCHEMA:?}", SCHEMA = *SCHEMA)
    });
    &KNOWN
}
