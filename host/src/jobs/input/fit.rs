//! Another system's names for the fields of a credential -> those of the app.

use super::row::{Names, Row};
use crate::schema::{AuthSchema, AuthType, Field, Input, Necessity, Secrecy};

impl Row {
    /// Makes the names of another system the app's own, as far as there is no doubt. Fields to spare that the app does not
    /// know are left out. A secret whose name the app does not know is the one secret that it asks for and that is not there;
    /// a `username` and a `password` are the one plain field and the one secret. What is not settled by that stays as it is, and
    /// validation tells what is wrong. A row with names of the app's own is not touched.
    ///
    /// ```
    /// # use keyferry::jobs::input::{Preset, ReadOptions, Rows};
    /// # use keyferry::schema::{AuthSchema, AuthTypeSpec, FieldSpec};
    /// let fields = vec![FieldSpec { name: "api_token".into(), secret: true, required: true, ..FieldSpec::default() }];
    /// let app = AuthSchema::parse(vec![AuthTypeSpec { name: "keybased".into(), fields, ..AuthTypeSpec::default() }])?;
    /// let file = r#"{"connection_id":"user_1","provider":"acme","credentials":{"type":"API_KEY","apiKey":"example"}}"#;
    /// let options = ReadOptions { preset: Preset::Nango, ..ReadOptions::default() };
    /// let mut row = Rows::new(file.as_bytes(), options).next().unwrap()?.content.unwrap();
    /// assert!(app.validate(&row.auth_object).is_err()); // it is `api_key` there
    /// row.fit(&app);
    /// assert!(app.validate(&row.auth_object).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fit(&mut self, app: &AuthSchema) {
        let Names::Foreign { spare } = &self.names else { return };
        let Input::Object(types) = &mut self.auth_object else { return };
        let [(auth_type, Input::Object(fields))] = types.as_mut_slice() else { return };
        let Some(auth_type) = app.auth_type(auth_type) else { return };
        fields.retain(|(name, _)| auth_type.field(name).is_some() || !spare.contains(name));
        let (plain, secret) = (open(auth_type, fields, Secrecy::Plain), open(auth_type, fields, Secrecy::Secret));
        let mut unknown: Vec<_> =
            fields.iter_mut().map(|(name, _)| name).filter(|name| auth_type.field(name).is_none()).collect();
        match (unknown.as_mut_slice(), plain.as_slice(), secret.as_slice()) {
            ([name], _, [secret]) => **name = secret.clone(),
            ([one, other], [plain], [secret]) => {
                let (user, password) = if *one == "username" { (one, other) } else { (other, one) };
                if *user == "username" && *password == "password" {
                    (**user, **password) = (plain.clone(), secret.clone());
                }
            }
            _ => {}
        }
    }
}

/// Names of fields that the app asks for and that are not there.
fn open(auth_type: &AuthType, fields: &[(String, Input)], secrecy: Secrecy) -> Vec<String> {
    let is_open = |field: &&Field| {
        field.necessity == Necessity::Required
            && field.secrecy == secrecy
            && !fields.iter().any(|(name, _)| name == field.name.as_str())
    };
    auth_type.fields.iter().filter(is_open).map(|field| field.name.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{AuthTypeSpec, FieldSpec};

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
        }
    }

    fn fitted(mut row: Row, app: &AuthSchema) -> String {
        row.fit(app);
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
            ("api_key*", "api_key more", "api_key more"),
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
