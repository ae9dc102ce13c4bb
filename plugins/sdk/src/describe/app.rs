use crate::bindings::exports::keyferry::plugin::app as wit;
use crate::{AuthType, Grant, Renewal};

/// What an app is, and what its plugin asks for.
///
/// ```
/// # use keyferry_plugin::prelude::*;
/// let app = App::new("acme", "Acme")
///     .about("Rockets and their fuel", &["rockets"])
///     .docs("https://developers.acme.example/api-keys")
///     .grant(Grant::host("api.acme.example").get("/v1/me"))
///     .auth(AuthType::keybased("API key").field(Field::secret("api_key", "API key").required()));
/// ```
pub struct App {
    description: wit::Description,
    /// Each with its auth type.
    renewals: Vec<(String, Renewal)>,
}

impl App {
    /// An app by its slug (its name in URLs and requests: lower-case letters, digits and `-`) and its name for people.
    pub fn new(slug: &str, name: &str) -> Self {
        let description = wit::Description {
            slug: slug.to_owned(),
            name: name.to_owned(),
            about: None,
            tags: Vec::new(),
            icon: None,
            docs: String::new(),
            grants: Vec::new(),
            reads_secrets: false,
            auth_types: Vec::new(),
        };
        Self { description, renewals: Vec::new() }
    }

    /// The `https:` page that tells how to get a credential. Every app has one.
    #[must_use]
    pub fn docs(mut self, url: &str) -> Self {
        self.description.docs = url.to_owned();
        self
    }

    /// What the app is for, in one sentence, and the tags that lists of apps can be narrowed by: lower-case words such as
    /// `crm`.
    #[must_use]
    pub fn about(mut self, sentence: &str, tags: &[&str]) -> Self {
        self.description.about = Some(sentence.to_owned());
        self.description.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        self
    }

    /// An `https:` or `data:` URL of an icon.
    #[must_use]
    pub fn icon(mut self, url: &str) -> Self {
        self.description.icon = Some(url.to_owned());
        self
    }

    /// Asks to be allowed requests. Ask for no more than [`Plugin::verify`](crate::Plugin::verify) makes: the operator
    /// reads the list and decides.
    #[must_use]
    pub fn grant(mut self, grant: Grant) -> Self {
        self.description.grants.extend(grant.into_wit());
        self
    }

    /// Asks to be given secret fields as plain text. Operators seldom grant it, and few plugins need it: a
    /// [`Value`](crate::Value) puts a secret wherever a request can hold one.
    #[must_use]
    pub fn reads_secrets(mut self) -> Self {
        self.description.reads_secrets = true;
        self
    }

    /// Adds a way to authenticate. Every app has at least one, and their names differ.
    #[must_use]
    pub fn auth(mut self, auth_type: AuthType) -> Self {
        let (auth_type, renewals) = auth_type.into_wit();
        self.renewals.extend(renewals.into_iter().map(|renewal| (auth_type.name.clone(), renewal)));
        self.description.auth_types.push(auth_type);
        self
    }

    /// The tokens that can be renewed, each with its auth type.
    pub(crate) fn into_renewals(self) -> Vec<(String, Renewal)> {
        self.renewals
    }

    pub(crate) fn into_wit(self) -> wit::Description {
        self.description
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn an_app_holds_what_it_was_told() {
        let app = App::new("acme", "Acme")
            .about("Rockets", &["rockets", "e-commerce"])
            .docs("https://acme.example/docs")
            .grant(Grant::host("a.example").get("/v1").post("/token"))
            .auth(AuthType::keybased("Key"))
            .auth(AuthType::oauth2("OAuth").oauth_app())
            .into_wit();
        assert_eq!((app.slug.as_str(), app.name.as_str()), ("acme", "Acme"));
        assert_eq!((app.docs.as_str(), app.icon, app.reads_secrets), ("https://acme.example/docs", None, false));
        assert_eq!((app.about.as_deref(), app.tags), (Some("Rockets"), vec!["rockets".into(), "e-commerce".into()]));
        assert_eq!(app.grants.len(), 2);
        let names: Vec<_> = app.auth_types.iter().map(|auth_type| auth_type.name.as_str()).collect();
        assert_eq!(names, ["keybased", "oauth2"]);
    }
}
