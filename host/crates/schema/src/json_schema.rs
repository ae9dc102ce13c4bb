//! An auth type as JSON Schema (draft 2020-12), for forms, clients and API descriptions.

use serde_json::{Map, Value, json};

use super::any_case::spelled_out;
use super::model::{AuthType, Field, FieldKind, Necessity, Secrecy};
use super::number_meaning::NumberMeaning;

/// URI of the JSON Schema dialect of all schemas: <https://json-schema.org/draft/2020-12/schema>.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A JSON number as text, as nearly as a pattern can say what Rust's `f64` reads.
const NUMBER_TEXT: &str = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$";
/// The same, not negative.
const DURATION_TEXT: &str = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$";
/// A moment as a number of seconds or milliseconds, or as RFC 3339 writes it.
const MOMENT_TEXT: &str = r"^([0-9]{9,15}(\.[0-9]*)?|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]+([Zz]|[+-][0-9:]+))$";
/// 2000-01-01 in seconds, and the end of the year 9999 in milliseconds since 1970.
const FIRST_SECOND: u64 = 946_684_800;
const LAST_MILLISECOND: u64 = 253_402_300_799_999;
/// `https:`, and something where a host stands.
const HTTPS_URL: &str = "^[hH][tT][tT][pP][sS]:/*[^/?#]";
/// One line without control characters.
const ONE_LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

impl AuthType {
    /// The credential's schema: it accepts what [`validate`](super::AuthSchema::validate) accepts in the object under this
    /// auth type's name, as far as JSON Schema can say it. It cannot say that a number in text is finite, what a moment in
    /// another form than a number or RFC 3339 is, the other spellings of an option, an address without its scheme, and patterns in the words of another
    /// regular-expression dialect than the host's; and it describes values as they are once what copying left around them is
    /// taken off.
    pub fn json_schema(&self) -> Value {
        let properties: Map<String, Value> =
            self.fields.iter().map(|field| (field.name.to_string(), field.json_schema())).collect();
        let required: Vec<&str> = self
            .fields
            .iter()
            .filter(|field| field.necessity == Necessity::Required)
            .map(|field| field.name.as_str())
            .collect();
        let mut schema = Map::new();
        schema.insert("$schema".to_owned(), json!(DIALECT));
        schema.insert("title".to_owned(), json!(self.label));
        insert(&mut schema, "description", self.help.as_ref());
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("required".to_owned(), json!(required));
        schema.insert("additionalProperties".to_owned(), json!(false));
        Value::Object(schema)
    }
}

impl Field {
    /// The field's own schema.
    fn json_schema(&self) -> Value {
        let mut schema = Map::new();
        schema.insert("title".to_owned(), json!(self.spec.label));
        insert(&mut schema, "description", self.spec.help.as_ref());
        insert(&mut schema, "default", self.spec.default.as_ref());
        if let Some(example) = &self.spec.example {
            schema.insert("examples".to_owned(), json!([example]));
        }
        if self.secrecy == Secrecy::Secret {
            schema.insert("writeOnly".to_owned(), json!(true));
        }
        let mut kinds = vec![self.text_schema()];
        match self.spec.kind {
            FieldKind::Number => kinds.push(match self.number_meaning() {
                NumberMeaning::Moment => {
                    json!({ "type": "number", "minimum": FIRST_SECOND, "maximum": LAST_MILLISECOND })
                }
                NumberMeaning::Duration => json!({ "type": "number", "minimum": 0 }),
                NumberMeaning::Anything => json!({ "type": "number" }),
            }),
            FieldKind::Boolean => kinds.push(json!({ "type": "boolean" })),
            FieldKind::Text | FieldKind::Url | FieldKind::Select | FieldKind::Multiline => {}
        }
        if self.necessity == Necessity::Optional {
            // `null` reads as absent, and so does an empty text.
            kinds.push(json!({ "const": "" }));
            kinds.push(json!({ "type": "null" }));
        }
        match kinds.as_slice() {
            [Value::Object(text)] => schema.extend(text.clone()),
            _ => _ = schema.insert("anyOf".to_owned(), Value::Array(kinds)),
        }
        Value::Object(schema)
    }

    fn text_schema(&self) -> Value {
        let mut text = Map::new();
        text.insert("type".to_owned(), json!("string"));
        text.insert("minLength".to_owned(), json!(self.spec.min_length.unwrap_or(1).max(1)));
        if let Some(max) = self.spec.max_length {
            text.insert("maxLength".to_owned(), json!(max));
        }
        let mut patterns = Vec::new();
        match self.spec.kind {
            FieldKind::Select => {
                let values: Vec<_> = self.spec.options.iter().map(|option| option.value.as_str()).collect();
                text.insert("enum".to_owned(), json!(values));
            }
            FieldKind::Boolean => _ = text.insert("enum".to_owned(), json!(["true", "false"])),
            FieldKind::Number => patterns.push(match self.number_meaning() {
                NumberMeaning::Moment => MOMENT_TEXT.to_owned(),
                NumberMeaning::Duration => DURATION_TEXT.to_owned(),
                NumberMeaning::Anything => NUMBER_TEXT.to_owned(),
            }),
            FieldKind::Url => {
                text.insert("format".to_owned(), json!("uri"));
                patterns.push(HTTPS_URL.to_owned());
            }
            FieldKind::Text | FieldKind::Multiline => {}
        }
        if matches!(self.spec.kind, FieldKind::Text | FieldKind::Url) {
            patterns.push(ONE_LINE.to_owned());
        }
        patterns.extend(self.spec.pattern.as_ref().map(|pattern| format!("^(?:{})$", spelled_out(pattern))));
        // A form should show the plugin's own pattern, so it is the top-level `pattern`.
        if let Some(last) = patterns.pop() {
            text.insert("pattern".to_owned(), json!(last));
        }
        if !patterns.is_empty() {
            let all: Vec<_> = patterns.into_iter().map(|pattern| json!({ "pattern": pattern })).collect();
            text.insert("allOf".to_owned(), Value::Array(all));
        }
        Value::Object(text)
    }
}

fn insert(schema: &mut Map<String, Value>, name: &str, text: Option<&String>) {
    if let Some(text) = text {
        schema.insert(name.to_owned(), json!(text));
    }
}

#[cfg(test)]
mod tests {
    use crate::{AuthSchema, AuthTypeSpec, Choice, FieldKind, FieldSpec, Input};

    fn app() -> AuthSchema {
        let spec = |name: &str| FieldSpec { name: name.into(), label: name.into(), ..FieldSpec::default() };
        let fields = vec![
            FieldSpec { required: true, pattern: Some("[0-9]{3}".into()), ..spec("account_id") },
            FieldSpec { required: true, secret: true, min_length: Some(4), max_length: Some(8), ..spec("token") },
            FieldSpec { kind: FieldKind::Number, ..spec("limit") },
            FieldSpec { kind: FieldKind::Number, ..spec("expires_in") },
            FieldSpec { kind: FieldKind::Number, ..spec("expires_at") },
            FieldSpec { kind: FieldKind::Boolean, ..spec("sandbox") },
            FieldSpec { kind: FieldKind::Url, ..spec("base_url") },
            FieldSpec {
                kind: FieldKind::Select,
                default: Some("eu".into()),
                options: ["eu", "us"].map(|v| Choice { value: v.into(), label: v.into() }).into(),
                ..spec("region")
            },
            FieldSpec { kind: FieldKind::Multiline, ..spec("key") },
        ];
        AuthSchema::parse(vec![AuthTypeSpec { name: "keybased".into(), fields, ..AuthTypeSpec::default() }]).unwrap()
    }

    #[test]
    fn the_json_schema_and_the_host_accept_the_same() {
        let app = app();
        let schema = app.types()[0].json_schema();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let good = serde_json::json!({ "account_id": "123", "token": "abcd" });
        let mut cases = vec![good.clone(), serde_json::json!({}), serde_json::json!({ "account_id": "123" })];
        let values =
            ["123", "abcd", "abc", "abcdefghi", "1234", "", "a\nb", "1e3", ".5", "1.", "x", "true", "TRUE", "eu", "de"];
        let texts = [
            "https://a.example/x",
            "http://a.example",
            "https://",
            "HTTPS://A.example",
            "not a url",
            "-1",
            "1798761599",
            "1798761599000",
            "2026-12-31T23:59:59Z",
            "2026-12-31",
        ];
        let others = [
            serde_json::json!(1),
            serde_json::json!(1.5),
            serde_json::json!(-1),
            serde_json::json!(1_798_761_599),
            serde_json::json!(1_798_761_599_000u64),
            serde_json::json!(true),
            serde_json::json!(null),
            serde_json::json!([]),
        ];
        let values: Vec<_> = values.iter().chain(&texts).map(|v| serde_json::json!(v)).chain(others).collect();
        for field in [
            "account_id",
            "token",
            "limit",
            "expires_in",
            "expires_at",
            "sandbox",
            "base_url",
            "region",
            "key",
            "unknown",
        ] {
            for value in &values {
                let mut case = good.clone();
                case[field] = value.clone();
                cases.push(case);
            }
        }
        for case in cases {
            let input: Input = serde_json::from_value(serde_json::json!({ "keybased": case })).unwrap();
            let host = app.validate(&input);
            assert_eq!(validator.is_valid(&case), host.is_ok(), "{case}: {host:?}");
        }
        assert_eq!(schema["properties"]["token"]["writeOnly"], true);
    }
}
