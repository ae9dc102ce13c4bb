//! Fields that are a problem for people or for other tools.

use super::code::{Code, Finding};
use super::pattern::explosive;
use keyferry_schema::{AuthSchema, AuthType, Field, Hint, Necessity, Secrecy, Supplier, suspicion};

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
    if field.secrecy == Secrecy::Plain
        && let Some(why) = suspicion(field)
    {
        findings.push(found(Code::LooksSecret, format!("the plugin reads the field as text, and {why}")));
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
    if let Some(fault) = field.hint.as_ref().and_then(Hint::fault) {
        findings.push(found(Code::LongHint, fault.to_string()));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_schema::{AuthTypeSpec, FieldKind, FieldSpec};

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
        let cases: [(Slip, &[&str]); 18] = [
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
            (|f| (f.secret, f.hint) = (true, Some("(?s)^.{16}".into())), &["KF024"]),
            (|f| (f.secret, f.hint) = (true, Some("^a|.*".into())), &["KF024"]),
            (|f| f.label = "Webhook URL".into(), &["KF014"]),
            (|f| f.placeholder = Some("sk_live_...".into()), &["KF014"]),
            (|f| f.name = "access_key_id".into(), &[]),
        ];
        for (index, (change, expected)) in cases.into_iter().enumerate() {
            let found = codes(change);
            let expected: Vec<_> = expected.iter().copied().filter(|code| *code != "KF021" || index == 3).collect();
            assert_eq!(found, expected, "case {index}");
        }
    }
}
