use crate::bindings::exports::keyferry::plugin::app as wit;

/// A credential that works, and what the provider said of it.
///
/// ```
/// # use keyferry_plugin::prelude::*;
/// Verified::new()
///     .account_id("T0123")
///     .display_name("Acme Inc.")
///     .scopes(["users.read", "chat.write"])
///     .warning("the token belongs to a person, and ends with them")
///     .config("api_domain", "https://acme.example.com");
/// ```
pub struct Verified(wit::Verified);

impl Default for Verified {
    fn default() -> Self {
        Self::new()
    }
}

impl Verified {
    /// A credential that works, of which nothing else is known yet.
    pub fn new() -> Self {
        Self(wit::Verified {
            account_id: None,
            display_name: None,
            scopes: Vec::new(),
            expires_at: None,
            warnings: Vec::new(),
            config: Vec::new(),
        })
    }

    /// The provider's stable id of the account, organisation or user behind the credential. A later credential with
    /// another id is held to be another account's. An empty one is left out.
    #[must_use]
    pub fn account_id(mut self, id: impl Into<String>) -> Self {
        self.0.account_id = Some(id.into()).filter(|id| !id.is_empty());
        self
    }

    /// The account's name for people. An empty one is left out.
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.0.display_name = Some(name.into()).filter(|name| !name.is_empty());
        self
    }

    /// Adds scopes or permissions that the provider says it has, each once.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        for scope in scopes.into_iter().map(Into::into) {
            if !self.0.scopes.contains(&scope) {
                self.0.scopes.push(scope);
            }
        }
        self
    }

    /// When it ends, in milliseconds since 1970-01-01T00:00:00Z, where that is known.
    #[must_use]
    pub fn expires_at_ms(mut self, time: impl Into<Option<u64>>) -> Self {
        self.0.expires_at = time.into();
        self
    }

    /// Adds what is worth telling though the credential works.
    #[must_use]
    pub fn warning(mut self, text: impl Into<String>) -> Self {
        self.0.warnings.push(text.into());
        self
    }

    /// Adds a plain value worth keeping beside the credential: an `instance_url`, an API host. An empty one is left out.
    #[must_use]
    pub fn config(mut self, key: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.0.config.push((key.to_owned(), value));
        }
        self
    }

    pub(crate) fn into_wit(self) -> wit::Verified {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_provider_left_empty_is_left_out() {
        let verified = Verified::new()
            .account_id("")
            .display_name("")
            .config("a", "")
            .config("b", "1")
            .expires_at_ms(None)
            .into_wit();
        assert_eq!((verified.account_id, verified.display_name), (None, None));
        assert_eq!(verified.config, [("b".to_owned(), "1".to_owned())]);
        assert_eq!(verified.expires_at, None);
    }

    #[test]
    fn scopes_and_warnings_add_up() {
        let verified =
            Verified::new().scopes(["a"]).scopes(["b", "a"]).warning("x").warning("y").expires_at_ms(5).into_wit();
        assert_eq!(verified.scopes, ["a", "b"]);
        assert_eq!(verified.warnings, ["x", "y"]);
        assert_eq!(verified.expires_at, Some(5));
    }
}
