//! Another system's names for the fields of a credential -> those of the app.

use std::collections::HashSet;
use std::mem;

use super::foreign::{Alias, COMMON, aliases, folded};
use super::row::{Names, Row};
use keyferry_schema::{AuthSchema, AuthType, Field, Input, Necessity, Secrecy};
use keyferry_types::secret::{Secret, SharedSecret};

/// Values that are looked at: no source has as many.
const MOST_VALUES: usize = 512;

impl Row {
    /// Makes the names of another system the app's own, as far as there is no doubt, and leaves out what a default for all apps
    /// supplied that the app does not know.
    ///
    /// Names that a rule of the mapping gave stay. The auth type is the one that the source suggests if its fields are all
    /// there, otherwise the first of the app's of which that is so. A value is a field of its name in any spelling, of a name
    /// that its source is known to have for the field, or the one secret that is asked for and not there; a `username` and a
    /// `password` are the one plain field and the one secret. What the app does not know is left out, with an entry in
    /// `warnings` if it looks like a secret. Where no auth type is complete, names stay as they are, and validation reports
    /// what is wrong.
    ///
    /// ```
    /// # use keyferry_imports::input::{Preset, ReadOptions, Rows};
    /// # use keyferry_schema::{AuthSchema, AuthTypeSpec, FieldSpec};
    /// let fields = vec![FieldSpec { name: "api_token".into(), secret: true, required: true, ..FieldSpec::default() }];
    /// let app = AuthSchema::parse(vec![AuthTypeSpec { name: "keybased".into(), fields, ..AuthTypeSpec::default() }])?;
    /// let file = r#"{"connection_id":"user_1","provider":"acme","credentials":{"type":"API_KEY","apiKey":"example"}}"#;
    /// let options = ReadOptions { preset: Preset::Nango, ..ReadOptions::default() };
    /// let mut row = Rows::new(file.as_bytes(), options).next().unwrap()?.content.unwrap();
    /// assert!(app.validate(&row.auth_object).is_err()); // it is `api_key` there
    /// row.normalize_field_names(&app);
    /// assert!(app.validate(&row.auth_object).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn normalize_field_names(&mut self, app: &AuthSchema) {
        if let Input::Object(types) = &mut self.auth_object
            && let [(name, Input::Object(fields))] = types.as_mut_slice()
        {
            if let Names::Foreign { spare } = &self.names {
                let values =
                    mem::take(fields).into_iter().map(|(name, value)| Value::new(name, value, spare, &self.origin));
                let fitted =
                    Fitting { app, slug: &self.slug, values: values.collect() }.fit(name, self.origin.is_type_fixed);
                (*name, *fields) = (fitted.auth_type, fitted.fields);
                for (name, value) in fitted.left_out {
                    let path = self.origin.path(&name).to_owned();
                    self.origin.unread.push((path, value));
                }
            } else if let Some(auth_type) = app.auth_type(name) {
                let can_go = |name: &str| {
                    self.origin.defaulted.iter().any(|(other, own)| other == name && (!own || is_of_app(app, name)))
                };
                fields.retain(|(name, _)| auth_type.field(name).is_some() || !can_go(name));
            }
        }
        let mut warnings = self.origin.warnings(&self.slug, &self.auth_object);
        self.warnings.append(&mut warnings);
        self.origin.unread.clear();
    }
}

/// What the name of a value is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// A rule gave it: it stays.
    Fixed,
    /// It is the credential, or a part of it.
    Proper,
    /// A setting that the source keeps next to the credential.
    Spare,
    /// A default supplied the value, for this app or for all.
    Default { for_app: bool },
}

struct Value {
    name: String,
    folded: String,
    value: Input,
    standing: Standing,
}

impl Value {
    fn new(name: String, value: Input, spare: &[String], origin: &super::provenance::Provenance) -> Self {
        let default = origin.defaulted.iter().find(|(other, _)| *other == name);
        let standing = match default {
            Some((_, for_app)) => Standing::Default { for_app: *for_app },
            None if origin.fixed.contains(&name) => Standing::Fixed,
            None if spare.contains(&name) => Standing::Spare,
            None => Standing::Proper,
        };
        Self { folded: folded(&name), name, value, standing }
    }

    fn text(&self) -> &str {
        match &self.value {
            Input::Text(text) | Input::Number(text) => text.expose(),
            Input::Bool(true) => "true",
            Input::Bool(false) => "false",
            _ => "",
        }
    }
}

/// A value that is a field, and what it becomes there.
struct Taken {
    at: usize,
    field: String,
    made: Option<String>,
}

struct Fitted {
    auth_type: String,
    fields: Vec<(String, Input)>,
    /// By the names that they had.
    left_out: Vec<(String, Input)>,
}

struct Fitting<'a> {
    app: &'a AuthSchema,
    slug: &'a str,
    values: Vec<Value>,
}

impl Fitting<'_> {
    fn fit(self, proposed: &str, is_type_fixed: bool) -> Fitted {
        let own = self.app.auth_type(proposed);
        let others = self.app.types().iter().filter(|other| !is_type_fixed && other.name.as_str() != proposed);
        let candidates = own.into_iter().chain(others);
        let complete = candidates
            .map(|auth_type| (auth_type, self.taken(auth_type)))
            .find(|(auth_type, taken)| self.is_complete(auth_type, taken));
        match (complete, own.or_else(|| self.app.types().first().filter(|_| !is_type_fixed))) {
            (Some((auth_type, taken)), _) => self.made(auth_type.name.as_str().to_owned(), taken, Rest::LeftOut),
            (None, Some(auth_type)) => {
                let taken = self.taken(auth_type);
                self.made(auth_type.name.as_str().to_owned(), taken, Rest::Kept)
            }
            (None, None) => self.made(proposed.to_owned(), Vec::new(), Rest::Kept),
        }
    }

    /// Which values are fields of that auth type.
    fn taken(&self, auth_type: &AuthType) -> Vec<Taken> {
        let mut taken: Vec<Taken> = Vec::new();
        let open = |taken: &[Taken]| -> Vec<String> {
            let names = auth_type.fields.iter().map(|field| field.name.as_str());
            names.filter(|name| !taken.iter().any(|one| one.field == *name)).map(str::to_owned).collect()
        };
        for field in open(&taken) {
            let is_own = |value: &Value| value.name == field && !matches!(value.standing, Standing::Default { .. });
            if let Some(at) = self.values.iter().position(is_own) {
                let is_fixed = self.values.get(at).is_some_and(|value| value.standing == Standing::Fixed);
                let made = if is_fixed { None } else { self.shaped(at, &field) };
                taken.push(Taken { at, field, made });
            }
        }
        for alias in aliases(self.slug).iter().chain(COMMON) {
            if auth_type.field(alias.field).is_some()
                && !taken.iter().any(|one| one.field == alias.field)
                && alias.with.is_none_or(|with| taken.iter().any(|one| one.field == with))
                && let Some((at, made)) = self.aliased(alias, &taken)
            {
                taken.push(Taken { at, field: alias.field.to_owned(), made });
            }
        }
        for field in open(&taken) {
            let name = folded(&field);
            let is_it = |(at, value): &(usize, &Value)| value.folded == name && self.is_free(*at, &taken);
            if let Some((at, _)) = self.values.iter().enumerate().find(is_it) {
                taken.push(Taken { at, field, made: None });
            }
        }
        self.take_the_only_ones(auth_type, &mut taken);
        for field in open(&taken) {
            let is_default = |value: &Value| value.name == field && matches!(value.standing, Standing::Default { .. });
            if let Some(at) = self.values.iter().position(is_default) {
                taken.push(Taken { at, field, made: None });
            }
        }
        taken
    }

    /// Whether a value can still become a field.
    fn is_free(&self, at: usize, taken: &[Taken]) -> bool {
        let can = |value: &Value| matches!(value.standing, Standing::Proper | Standing::Spare);
        self.values.get(at).is_some_and(can) && !taken.iter().any(|one| one.at == at)
    }

    /// What a value becomes as a field of its own name.
    fn shaped(&self, at: usize, field: &str) -> Option<String> {
        let text = self.values.get(at)?.text();
        let own = |alias: &&Alias| alias.field == field && alias.names.contains(&folded(field).as_str());
        aliases(self.slug).iter().find(own)?.shape.of(text)?
    }

    /// The first value with one of these names. A value that is a field already can serve again where the field is derived from it.
    fn aliased(&self, alias: &Alias, taken: &[Taken]) -> Option<(usize, Option<String>)> {
        alias.names.iter().find_map(|name| {
            let named = self.values.iter().enumerate().filter(|(_, value)| value.folded == *name);
            named.filter_map(|(at, value)| Some((at, alias.shape.of(value.text())?))).find(|(at, made)| {
                self.is_free(*at, taken) || (made.is_some() && taken.iter().any(|one| one.at == *at))
            })
        })
    }

    /// A secret whose name says nothing is the one secret that is asked for; a user and a password are the one plain field and the
    /// one secret.
    fn take_the_only_ones(&self, auth_type: &AuthType, taken: &mut Vec<Taken>) {
        let is_proper = |at: &usize| {
            self.values.get(*at).is_some_and(|value| value.standing == Standing::Proper) && self.is_free(*at, taken)
        };
        let left: Vec<usize> = (0..self.values.len().min(MOST_VALUES)).filter(is_proper).collect();
        let (plain, secret) = (required(auth_type, taken, Secrecy::Plain), required(auth_type, taken, Secrecy::Secret));
        let named =
            |name: &str| left.iter().copied().find(|at| self.values.get(*at).is_some_and(|value| value.name == name));
        match (left.as_slice(), plain.as_slice(), secret.as_slice()) {
            ([at], _, [secret]) => taken.push(Taken { at: *at, field: secret.clone(), made: None }),
            ([_, _], [plain], [secret]) => {
                if let (Some(user), Some(password)) = (named("username"), named("password")) {
                    taken.push(Taken { at: user, field: plain.clone(), made: None });
                    taken.push(Taken { at: password, field: secret.clone(), made: None });
                }
            }
            _ => {}
        }
    }

    /// Whether all that is asked for is there, a secret among it, and all that a rule names is a field.
    fn is_complete(&self, auth_type: &AuthType, taken: &[Taken]) -> bool {
        let has = |field: &Field| taken.iter().any(|one| one.field == field.name.as_str());
        let mut values = self.values.iter().enumerate();
        auth_type.fields.iter().filter(|field| field.necessity == Necessity::Required).all(has)
            && auth_type.fields.iter().any(|field| field.secrecy == Secrecy::Secret && has(field))
            && values.all(|(at, value)| value.standing != Standing::Fixed || taken.iter().any(|one| one.at == at))
    }

    fn made(self, auth_type: String, mut taken: Vec<Taken>, rest: Rest) -> Fitted {
        let (mut fields, mut left_out) = (Vec::with_capacity(self.values.len()), Vec::new());
        let mut further = Vec::new();
        let filled: HashSet<String> = taken.iter().map(|one| one.field.clone()).collect();
        for (at, Value { name, value, standing, .. }) in self.values.into_iter().enumerate() {
            let mut is_field = false;
            let mut own = None;
            for one in taken.extract_if(.., |one| one.at == at) {
                is_field = true;
                match one.made {
                    Some(made) => further.push((one.field, Input::Text(SharedSecret::new(Secret::new(made))))),
                    None => own = Some(one.field),
                }
            }
            fields.append(&mut further);
            let stays = match standing {
                Standing::Fixed => true,
                Standing::Default { for_app: true } => !filled.contains(&name) && !is_of_app(self.app, &name),
                Standing::Default { for_app: false } | Standing::Spare => false,
                Standing::Proper => rest == Rest::Kept,
            };
            match own {
                Some(field) => fields.push((field, value)),
                None if is_field => {}
                None if stays => fields.push((name, value)),
                None if matches!(standing, Standing::Default { .. }) => {}
                None => left_out.push((name, value)),
            }
        }
        Fitted { auth_type, fields, left_out }
    }
}

/// What becomes of values that are the credential at their source and no field of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    LeftOut,
    /// Validation reports them as unknown.
    Kept,
}

/// Whether any auth type of the app has that field: a default for the app is for those that do.
fn is_of_app(app: &AuthSchema, name: &str) -> bool {
    app.types().iter().any(|auth_type| auth_type.field(name).is_some())
}

/// Names of fields that the app asks for and that are not there.
fn required(auth_type: &AuthType, taken: &[Taken], secrecy: Secrecy) -> Vec<String> {
    let is_open = |field: &&Field| {
        field.necessity == Necessity::Required
            && field.secrecy == secrecy
            && !taken.iter().any(|one| one.field == field.name.as_str())
    };
    auth_type.fields.iter().filter(is_open).map(|field| field.name.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_schema::{AuthTypeSpec, FieldSpec};

    /// An app whose `keybased` has those fields: a `*` is a secret, a `?` can be absent.
    fn app(fields: &str) -> AuthSchema {
        let field = |text: &str| FieldSpec {
            name: text.trim_matches(['*', '?']).into(),
            secret: text.contains('*'),
            required: !text.contains('?'),
            ..FieldSpec::default()
        };
        let fields = fields.split_whitespace().map(field).collect();
        AuthSchema::parse(vec![AuthTypeSpec { name: "keybased".into(), fields, ..AuthTypeSpec::default() }]).unwrap()
    }

    fn row(fields: &str, names: Names) -> Row {
        let fields = fields.split_whitespace().map(|name| (name.to_owned(), Input::Bool(true))).collect();
        Row {
            account: "user_1".parse().unwrap(),
            slug: "acme".into(),
            auth_object: Input::Object(vec![("keybased".into(), Input::Object(fields))]),
            name: None,
            updated_at: None,
            names,
            warnings: Vec::new(),
            origin: Default::default(),
        }
    }

    fn fitted(mut row: Row, app: &AuthSchema) -> String {
        row.normalize_field_names(app);
        let fields = row.auth_object.member("keybased").unwrap().members().unwrap().iter();
        fields.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn foreign_names_become_the_apps_own_where_there_is_no_doubt() {
        for (fields, has, becomes) in [
            ("api_key*", "api_key region", "api_key"),
            ("api_key* region?", "api_key region", "api_key region"),
            ("access_token* base_url?", "api_key", "access_token"),
            ("subdomain email api_token*", "subdomain region username password", "subdomain email api_token"),
            ("email api_token* subdomain?", "password username", "api_token email"),
            ("one* other*", "api_key", "api_key"),
            ("one*? other*?", "api_key", "api_key"),
            ("user email api_token*", "username password", "username password"),
            ("api_key*", "api_key more", "api_key"),
        ] {
            let spare = vec!["region".to_owned()];
            assert_eq!(fitted(row(has, Names::Foreign { spare }), &app(fields)), becomes, "{has} for {fields}");
        }
    }

    #[test]
    fn names_that_are_meant_as_they_are_stay() {
        assert_eq!(fitted(row("api_kee region", Names::Own), &app("api_key*")), "api_kee region");
    }
}
