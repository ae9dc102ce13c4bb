//! Credentials that are made up to fit a schema.

use regex_syntax::hir::{Class, Hir, HirKind};

use keyferry_schema::{AuthType, Field, FieldKind, Necessity, Supplier};

/// A value for each field that a caller supplies, by name; `None` where nothing that fits could be found.
pub(super) fn credential(auth_type: &AuthType) -> Vec<(&Field, Option<String>)> {
    let fields = auth_type.fields.iter().filter(|field| field.spec.supplier == Supplier::Caller);
    fields.map(|field| (field, value(field))).collect()
}

/// Whether a credential can do without the field.
pub(super) fn can_do_without(field: &Field) -> bool {
    field.necessity == Necessity::Optional
}

/// A credential that differs from a sample in one choice.
pub(super) struct Variant<'a> {
    /// The choice: "`region` is `eu`".
    pub(super) about: String,
    /// Fields and their values.
    pub(super) values: Vec<(&'a Field, String)>,
}

/// The sample with each other option of each select field, with the other value of each boolean, and without each field
/// that can be left out.
pub(super) fn variants<'a>(sample: &[(&'a Field, String)]) -> Vec<Variant<'a>> {
    let mut variants = Vec::new();
    for (index, (field, value)) in sample.iter().enumerate() {
        let choices: Vec<&str> = match field.spec.kind {
            FieldKind::Select => field.spec.options.iter().map(|option| option.value.as_str()).collect(),
            FieldKind::Boolean => vec!["true", "false"],
            FieldKind::Number | FieldKind::Url | FieldKind::Text | FieldKind::Multiline => Vec::new(),
        };
        for choice in choices.into_iter().filter(|choice| choice != value) {
            let other = |(at, (field, value)): (usize, &(&'a Field, String))| {
                (*field, if at == index { choice.to_owned() } else { value.clone() })
            };
            let values = sample.iter().enumerate().map(other).collect();
            variants.push(Variant { about: format!("where `{}` is `{choice}`", field.name), values });
        }
        if can_do_without(field) {
            let rest = sample.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, pair)| pair.clone());
            variants.push(Variant { about: format!("without `{}`", field.name), values: rest.collect() });
        }
    }
    variants
}

/// A value that the field accepts.
fn value(field: &Field) -> Option<String> {
    let spec = &field.spec;
    let long = "k3".repeat(usize::try_from(spec.min_length.unwrap_or(8)).unwrap_or(8).clamp(4, 4096));
    let cut: String = long.chars().take(usize::try_from(spec.max_length.unwrap_or(4096)).unwrap_or(4096)).collect();
    let by_kind = match spec.kind {
        // A number that fits every meaning, a time in milliseconds too.
        FieldKind::Number => "1767225600000".to_owned(),
        FieldKind::Boolean => "true".to_owned(),
        FieldKind::Url => "https://example.com".to_owned(),
        FieldKind::Select => spec.options.first().map(|option| option.value.clone()).unwrap_or_default(),
        FieldKind::Text | FieldKind::Multiline => cut,
    };
    let by_pattern =
        spec.pattern.as_deref().into_iter().flat_map(|pattern| [0, 1, 8, 32, 64].map(|n| matching(pattern, n)));
    let candidates = [spec.example.clone(), spec.default.clone()].into_iter().chain(by_pattern).chain([Some(by_kind)]);
    candidates.flatten().find(|value| field.accepts(value))
}

/// A text that a pattern matches, with `turns` rounds of each repetition, if it allows that many. Anchors are ignored.
pub(super) fn matching(pattern: &str, turns: u32) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut text = String::new();
    write(&hir, turns, &mut text)?;
    Some(text)
}

fn write(hir: &Hir, turns: u32, text: &mut String) -> Option<()> {
    // A pattern may require a text of unreasonable length.
    if text.len() > 64 * 1024 {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => text.push(member(class)?),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            for _ in 0..turns.clamp(repetition.min, most) {
                write(&repetition.sub, turns, text)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, turns, text)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, turns, text))?,
        HirKind::Alternation(branches) => write(branches.first()?, turns, text)?,
    }
    Some(())
}

/// A letter or digit of a class if there is one, else its first character.
fn member(class: &Class) -> Option<char> {
    match class {
        Class::Unicode(class) => {
            let holds = |c: &char| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(c));
            ('a'..='z').chain('0'..='9').chain('A'..='Z').find(holds).or_else(|| Some(class.ranges().first()?.start()))
        }
        Class::Bytes(class) => Some(char::from(class.ranges().first()?.start())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_schema::{AuthSchema, AuthTypeSpec, FieldSpec};

    #[test]
    fn a_value_is_found_for_what_people_write() {
        let patterns = [
            "[0-9]{3}",
            "xox[bp]-[0-9A-Za-z-]{20,}",
            "(?i)sk_(?:test|live)_[a-z0-9]{24}",
            "[0-9]+(_SB[0-9]+)?",
            "[a-z0-9][a-z0-9-]{0,62}",
            r"-----BEGIN [A-Z ]+-----[\s\S]+",
            r"\d{4}-\d{2}",
        ];
        for pattern in patterns {
            for (min_length, max_length) in [(None, None), (Some(3), Some(40))] {
                let spec = FieldSpec {
                    name: "f".into(),
                    kind: FieldKind::Multiline,
                    pattern: Some(pattern.into()),
                    min_length,
                    max_length,
                    ..FieldSpec::default()
                };
                let auth = AuthTypeSpec { name: "keybased".into(), fields: vec![spec], ..AuthTypeSpec::default() };
                let schema = AuthSchema::parse(vec![auth]).unwrap();
                let found = value(&schema.types()[0].fields[0]);
                assert!(found.is_some(), "{pattern} {min_length:?}");
            }
        }
    }
}
