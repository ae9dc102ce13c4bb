//! [`Provenance`]: which values of its source a row is made of, and which it leaves out.

use std::collections::HashSet;
use std::fmt;

use super::looks_secret::looks_secret;
use keyferry_schema::Input;

/// Warnings of a row about values that are left out; further ones are counted.
const MOST_WARNINGS: usize = 20;
/// Characters of a path that are shown.
const LONGEST_PATH: usize = 120;

/// Which values of its source a row is made of, and which it leaves out.
#[derive(Default)]
pub(crate) struct Provenance {
    /// The fields' names in the source, if they differ from the field's own.
    pub(super) paths: Vec<(String, String)>,
    /// Fields that a rule of the mapping names: they keep that name.
    pub(super) fixed: Vec<String>,
    /// Fields that a default supplied, and whether it is one for this app. A default for all apps is left out where the app has
    /// no such field.
    pub(super) defaulted: Vec<(String, bool)>,
    /// Whether the mapping or the file says which auth type it is.
    pub(super) is_type_fixed: bool,
    /// Values that became no field, by their paths. A value that the mapping drops is not among them.
    pub(super) unread: Vec<(String, Input)>,
}

impl Provenance {
    /// The path of a field in the source.
    pub(super) fn path<'a>(&'a self, name: &'a str) -> &'a str {
        self.paths.iter().find(|(field, _)| field == name).map_or(name, |(_, path)| path)
    }

    /// What is said of values that look like secrets and are not stored: by path, never by value. A value that is stored under
    /// another path, too, is not lost.
    pub(super) fn warnings(&self, slug: &str, stored: &Input) -> Vec<String> {
        let mut kept = HashSet::new();
        collect(stored, &mut kept);
        let is_lost = |(path, value): &&(String, Input)| {
            let text = text_of(value);
            text.is_some_and(|text| !kept.contains(text.trim()) && looks_secret(last(path), text))
        };
        let lost: Vec<&str> = self.unread.iter().filter(is_lost).map(|(path, _)| path.as_str()).collect();
        let told = lost.iter().take(MOST_WARNINGS).map(|path| {
            let path = safe(path);
            format!(
                "`{path}` looks like a secret and is not stored; \
                 `--map '{slug}/{path}=FIELD'` stores it, `--map '{path}='` leaves it out without this warning"
            )
        });
        let mut warnings: Vec<String> = told.collect();
        if let Some(more) = lost.len().checked_sub(MOST_WARNINGS).filter(|more| *more > 0) {
            warnings.push(format!("{more} further values look like secrets and are not stored"));
        }
        warnings
    }
}

impl fmt::Debug for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provenance").finish_non_exhaustive()
    }
}

fn collect<'a>(value: &'a Input, into: &mut HashSet<&'a str>) {
    match value {
        Input::Text(text) | Input::Number(text) => drop(into.insert(text.expose().trim())),
        Input::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Input::Object(members) => members.iter().for_each(|(_, value)| collect(value, into)),
        Input::Null | Input::Bool(_) => {}
    }
}

fn text_of(value: &Input) -> Option<&str> {
    match value {
        Input::Text(text) | Input::Number(text) => Some(text.expose()),
        _ => None,
    }
}

/// The name of the value itself. An item of a list has that of the list.
fn last(path: &str) -> &str {
    let names = path.rsplit('.').find(|name| !name.bytes().all(|b| b.is_ascii_digit()));
    names.unwrap_or(path)
}

/// A path as it may be shown: a name in it that looks like a value, or could not be typed, is masked.
fn safe(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-/ :@+".contains(c);
    let name = |name: &str| match !name.chars().all(is_plain) || looks_secret("", name) {
        true => keyferry_types::echo::MASK.to_owned(),
        false => name.to_owned(),
    };
    let shown = path.split('.').map(name).collect::<Vec<_>>().join(".");
    match shown.char_indices().nth(LONGEST_PATH) {
        Some((end, _)) => format!("{}...", shown.get(..end).unwrap_or_default()),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Input {
        super::super::text::text(value)
    }

    #[test]
    fn a_secret_that_is_left_out_is_told_by_its_path_and_never_by_its_value() {
        let unread = [
            ("metadata.webhookSecret", "whsec_lost"),
            ("raw.access_token", "stored"),
            ("metadata.plan", "gold"),
            ("metadata.sk_live_0123456789abcdef", "x_password"),
            ("keys.0", "lost-by-name"),
        ];
        let unread = unread.map(|(path, value)| (path.to_owned(), text(value))).into();
        let origin = Provenance { unread, ..Provenance::default() };
        let stored =
            Input::Object(vec![("keybased".to_owned(), Input::Object(vec![("t".to_owned(), text("stored"))]))]);
        let warnings = origin.warnings("acme", &stored);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(
            warnings[0].starts_with("`metadata.webhookSecret` looks like a secret and is not stored"),
            "{warnings:?}"
        );
        assert!(warnings[0].contains("--map 'acme/metadata.webhookSecret=FIELD'"), "{warnings:?}");
        assert!(warnings[1].starts_with("`keys.0`"), "{warnings:?}");
        assert!(!warnings.concat().contains("lost"), "{warnings:?}");
    }

    #[test]
    fn a_name_that_is_a_value_in_the_wrong_place_is_masked() {
        for (path, shown) in [
            ("a.b-c", "a.b-c"),
            ("a.sk_live_0123456789abcdef.b", "a.***.b"),
            ("a.\u{1b}[31m", "a.***"),
            ("Access Token", "Access Token"),
        ] {
            assert_eq!(safe(path), shown);
        }
        assert!(safe(&"x.".repeat(1000)).len() < 130);
    }
}
