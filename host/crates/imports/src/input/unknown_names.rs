//! Names of auth types and fields as a file spells them -> those of the app, and what is said of names that it does not have.

use super::echo::{argument, quoted, quoted_list, rule};
use super::looks_secret::is_telling_name;
use super::name_match::{NameMatch, fold, match_name};
use super::row::{Names, Row};
use keyferry_schema::{AuthSchema, AuthType, Input, Necessity, Secrecy};
use keyferry_types::echo::{MASK, safe};

/// Names that a message lists.
const MOST_TOLD: usize = 20;
/// What auth types are called elsewhere; as values of a column they can be repeated.
const USUAL_TYPES: [&str; 14] = [
    "apikey",
    "api_key",
    "api-key",
    "token",
    "bearer",
    "bearer_token",
    "basic",
    "oauth",
    "oauth1",
    "oauth2",
    "jwt",
    "pat",
    "password",
    "service_account",
];

/// Names in a row that its app does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownNames {
    /// What they are, what may be meant, and the rules that say so.
    pub detail: String,
    /// Their places in the row, in the form of the places of schema violations.
    pub fields: Vec<String>,
}

impl Row {
    /// Gives names that differ from the app's own in case and separators only the app's spelling: `Access Token`, `accessToken` and
    /// `access-token` become `access_token`, where the app has no other field that is spelled so.
    /// Names of another system are left to [`Row::normalize_field_names`].
    pub fn match_spelling(&mut self, app: &AuthSchema) {
        if self.names != Names::Own {
            return;
        }
        let Input::Object(types) = &mut self.auth_object else { return };
        let [(auth_type, Input::Object(fields))] = types.as_mut_slice() else { return };
        if app.auth_type(auth_type).is_none()
            && let NameMatch::Same(known) = match_name(auth_type, app.types().iter().map(|one| one.name.as_str()))
        {
            known.clone_into(auth_type);
        }
        let Some(auth_type) = app.auth_type(auth_type) else { return };
        for at in 0..fields.len() {
            let Some((name, _)) = fields.get(at).filter(|(name, _)| auth_type.field(name).is_none()) else { continue };
            let NameMatch::Same(known) = match_name(name, names(auth_type)) else { continue };
            let is_taken = fields
                .iter()
                .enumerate()
                .any(|(n, (other, _))| other == known || n != at && fold(other) == fold(known));
            if !is_taken && let Some((name, _)) = fields.get_mut(at) {
                known.clone_into(name);
            }
        }
    }

    /// What a field is called in a file of JSON.
    fn written(&self, name: &str) -> String {
        let path = self.origin.path(name);
        path.strip_prefix("auth_object.").unwrap_or(path).to_owned()
    }

    /// The names that the app does not have; `None` if there are none, or if they are another system's. `in_file` gives the
    /// name that the column of a field has in the file.
    pub fn unknown_names(
        &self,
        slug: &str,
        app: &AuthSchema,
        in_file: &dyn Fn(&str) -> Option<String>,
    ) -> Option<UnknownNames> {
        let [(written, Input::Object(fields))] = self.auth_object.members()? else { return None };
        if self.names != Names::Own {
            return None;
        }
        let Some(auth_type) = app.auth_type(written) else { return unknown_type(slug, written, app) };
        let unknown: Vec<&str> =
            fields.iter().map(|(name, _)| name.as_str()).filter(|name| auth_type.field(name).is_none()).collect();
        if unknown.is_empty() {
            return None;
        }
        let original: Vec<String> =
            unknown.iter().map(|name| in_file(name).unwrap_or_else(|| self.written(name))).collect();
        let is_open = |name: &&str| !fields.iter().any(|(other, _)| other == name);
        let required = auth_type.fields.iter().filter(|field| field.necessity == Necessity::Required);
        let missing: Vec<&str> = required.map(|field| field.name.as_str()).filter(is_open).collect();
        let mut told = vec![format!(
            "`{slug}` has no field {}; its `{written}` has {}",
            quoted_list(original.iter().map(String::as_str)),
            names(auth_type).collect::<Vec<_>>().join(", ")
        )];
        if !missing.is_empty() {
            told.push(format!("{} is missing", quoted_list(missing.iter().copied())));
        }
        let is_secret = |name: &str| auth_type.field(name).is_some_and(|field| field.secrecy == Secrecy::Secret);
        let mut spare = Vec::new();
        for (name, original) in unknown.iter().zip(&original).take(MOST_TOLD) {
            let probable = match match_name(name, names(auth_type).filter(is_open)) {
                NameMatch::Same(known) | NameMatch::Near(known) => Some(known),
                // The only one that is missing is the only one that is left, or the only one that is called a secret.
                NameMatch::Unknown => match missing.as_slice() {
                    [one] if unknown.len() == 1 => Some(*one),
                    [one] if is_secret(one) && unknown.iter().filter(|other| is_telling_name(other)).eq([name]) => {
                        Some(*one)
                    }
                    _ => None,
                },
            };
            match probable {
                Some(known) => {
                    told.push(format!("{} may be `{known}`: {}", quoted(original), rule(original, known)));
                }
                None => spare.push(rule(original, "")),
            }
        }
        if !spare.is_empty() {
            told.push(format!("to leave out what is not of the credential: {}", spare.join(" ")));
        }
        let place = |name: &String| format!("auth_object.{written}.{}", quoted(name).trim_matches('`'));
        Some(UnknownNames { detail: told.join("; "), fields: original.iter().take(MOST_TOLD).map(place).collect() })
    }
}

fn names(auth_type: &AuthType) -> impl Iterator<Item = &str> {
    auth_type.fields.iter().map(|field| field.name.as_str())
}

/// An auth type is a value of a column, which may be in the wrong place: only what is surely none is repeated.
fn unknown_type(slug: &str, written: &str, app: &AuthSchema) -> Option<UnknownNames> {
    let types: Vec<&str> = app.types().iter().map(|one| one.name.as_str()).collect();
    let known = types.iter().copied().chain(USUAL_TYPES);
    let written = safe(written, known);
    let has = types.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut detail = format!("`{slug}` has no auth type `{written}`; it has {has}");
    let probable = match (match_name(written, types.iter().copied()), types.as_slice()) {
        (NameMatch::Same(name) | NameMatch::Near(name), _) => Some(name),
        (NameMatch::Unknown, [one]) => Some(*one),
        (NameMatch::Unknown, _) if fold(written).starts_with("oauth") => {
            types.iter().copied().find(|name| name.starts_with("oauth"))
        }
        (NameMatch::Unknown, _) => types.iter().copied().find(|name| *name == "keybased"),
    };
    if let Some(name) = probable.filter(|_| written != MASK) {
        detail = format!("{detail}: {}", argument(&format!("auth_type:{written}={name}")));
    }
    Some(UnknownNames { detail, fields: vec![format!("auth_object.{written}")] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_schema::{AuthTypeSpec, FieldSpec};

    /// An app with the auth types `keybased` of these fields, and `oauth2`; a `?` can be absent.
    fn app(fields: &str) -> AuthSchema {
        let spec = |name: &str, fields: &str| {
            let field = |text: &str| FieldSpec {
                name: text.trim_matches('?').into(),
                secret: text == "api_key",
                required: !text.contains('?'),
                ..FieldSpec::default()
            };
            let fields = fields.split_whitespace().map(field).collect();
            AuthTypeSpec { name: name.into(), fields, ..AuthTypeSpec::default() }
        };
        AuthSchema::parse(vec![spec("keybased", fields), spec("oauth2", "access_token refresh_token?")]).unwrap()
    }

    fn row(auth_type: &str, fields: &[&str]) -> Row {
        let members: Vec<_> = fields.iter().map(|name| format!("\"{name}\":\"x\"")).collect();
        let file = format!(
            r#"{{"linked_account_id":"u","slug":"acme","auth_object":{{"{auth_type}":{{{}}}}}}}"#,
            members.join(",")
        );
        let mut rows = crate::input::Rows::new(std::io::Cursor::new(file), crate::input::ReadOptions::default());
        rows.next().unwrap().unwrap().content.unwrap()
    }

    fn names_of(row: &Row) -> Vec<String> {
        let (auth_type, fields) = &row.auth_object.members().unwrap()[0];
        std::iter::once(auth_type).chain(fields.members().unwrap().iter().map(|(name, _)| name)).cloned().collect()
    }

    #[test]
    fn case_and_separators_are_read_where_there_is_no_doubt() {
        for (auth_type, fields, expected) in [
            ("KeyBased", &["API Key"][..], "keybased api_key"),
            ("key-based", &["api-key", "Base URL"], "keybased api_key base_url"),
            ("OAuth2", &["accessToken", "Refresh Token"], "oauth2 access_token refresh_token"),
            ("OAUTH_2", &["ACCESS_TOKEN"], "oauth2 access_token"),
            ("keybased", &["apiKey", "api_key"], "keybased apiKey api_key"),
            ("keybased", &["apiKey", "API-KEY"], "keybased apiKey API-KEY"),
            ("keybased", &["key"], "keybased key"),
            ("token", &["apiKey"], "token apiKey"),
        ] {
            let mut row = row(auth_type, fields);
            row.match_spelling(&app("api_key base_url?"));
            assert_eq!(names_of(&row).join(" "), expected);
        }
    }

    #[test]
    fn all_unknown_names_are_told_with_the_rules_that_map_them() {
        let app = app("api_key base_url?");
        for (auth_type, fields, parts) in [
            (
                "keybased",
                &["apikee", "Notes"][..],
                &[
                    "no field `apikee`, `Notes`",
                    "`api_key` is missing",
                    "`apikee` may be `api_key`: --map apikee=api_key",
                    "--map Notes=",
                ][..],
            ),
            ("keybased", &["secret"], &["`secret` may be `api_key`: --map secret=api_key"]),
            (
                "keybased",
                &["Notes", "token"],
                &[
                    "`token` may be `api_key`: --map token=api_key",
                    "leave out what is not of the credential: --map Notes=",
                ],
            ),
            ("keybased", &["my note", "x"], &["--map 'my note=' --map x="]),
            ("keybased", &["sk_live_12345678"], &["no field `***`", "--map COLUMN=api_key"]),
            (
                "apikey",
                &["api_key"],
                &["no auth type `apikey`; it has `keybased`, `oauth2`: --map auth_type:apikey=keybased"],
            ),
            ("oauth", &["x"], &["--map auth_type:oauth=oauth2"]),
            ("hunter2", &["x"], &["no auth type `***`; it has `keybased`, `oauth2`"]),
        ] {
            let misnamed = row(auth_type, fields).unknown_names("acme", &app, &|_| None).unwrap();
            for part in parts {
                assert!(misnamed.detail.contains(part), "{part}: {}", misnamed.detail);
            }
        }
        assert_eq!(row("keybased", &["base_url"]).unknown_names("acme", &app, &|_| None), None);
        let told =
            row("keybased", &["notes_internal"]).unknown_names("acme", &app, &|_| Some("Notes (internal)".to_owned()));
        assert!(told.unwrap().detail.contains("--map 'Notes (internal)=api_key'"));
    }
}
