use super::ClientAuth;
use crate::bindings::exports::keyferry::plugin::renewal as wit;
use crate::{Grant, url};

/// Tokens of an auth type that can be renewed. [`AuthType::renewal`](crate::AuthType::renewal) adds it.
///
/// The usual case, a refresh token that is spent at a token endpoint (RFC 6749, section 6), needs no code:
///
/// ```
/// # use keyferry_plugin::prelude::*;
/// AuthType::oauth2("OAuth").tokens("From Acme's token endpoint.").renewal(
///     Renewal::refresh("https://{subdomain}.acme.example/oauth/token")
///         .client(ClientAuth::Basic)
///         .rotation(Rotation::Grace { seconds: 1800 })
///         .access_life(1800),
/// );
/// ```
///
/// A plugin whose provider does it differently implements [`Plugin::renew`](crate::Plugin::renew).
pub struct Renewal {
    pub(super) url: String,
    pub(super) client: ClientAuth,
    pub(super) access_token: String,
    pub(super) refresh_token: String,
    expires_at: String,
    rotation: Rotation,
    access_life: Option<u32>,
    idle_life: Option<u32>,
    pub(super) more: Vec<(String, String)>,
    pub(super) rules: Vec<Rule>,
    pub(super) page_words: Option<String>,
    grants: Vec<Grant>,
    pub(super) fields: Vec<(String, String)>,
}

/// What an error code of a token endpoint means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The refresh token has ended.
    Ended,
    /// The OAuth client is refused.
    ClientRefused,
    /// The same request may succeed later.
    Later,
}

/// A code, and words of the description beside it, with their meaning.
pub(super) struct Rule {
    pub(super) code: String,
    pub(super) words: Option<String>,
    pub(super) meaning: Meaning,
}

impl Rule {
    fn new(code: &str, words: Option<&str>, meaning: Meaning) -> Self {
        Self { code: code.to_owned(), words: words.map(str::to_owned), meaning }
    }
}

/// What becomes of a refresh token that has been used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It stays valid.
    Stays,
    /// It ends at once; the answer holds the next one.
    SingleUse,
    /// It can be used again for a time, in case the answer was lost.
    Grace {
        /// How long.
        seconds: u32,
    },
    /// It stays valid until the next one is used.
    UntilNextUsed,
}

impl Renewal {
    /// A refresh token that is spent by a POST to this URL. `{field}` stands for the credential's field of that name, which is not secret,
    /// and may begin the host: `https://{subdomain}.acme.example/oauth/token`; as the whole host it stands for the host of the URL in
    /// that field.
    ///
    /// Unless told otherwise, the OAuth client is in the form, the refresh token stays valid, and the fields are `access_token`,
    /// `refresh_token` and `expires_at`.
    pub fn refresh(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            client: ClientAuth::Form,
            access_token: "access_token".to_owned(),
            refresh_token: "refresh_token".to_owned(),
            expires_at: "expires_at".to_owned(),
            rotation: Rotation::Stays,
            access_life: None,
            idle_life: None,
            more: Vec::new(),
            rules: vec![
                Rule::new("invalid_client", None, Meaning::ClientRefused),
                Rule::new("unauthorized_client", None, Meaning::ClientRefused),
                Rule::new("invalid_grant", None, Meaning::Ended),
            ],
            page_words: None,
            grants: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// Where the token endpoint expects the OAuth client.
    #[must_use]
    pub fn client(mut self, auth: ClientAuth) -> Self {
        self.client = auth;
        self
    }

    /// The fields of the pair, where they are not `access_token`, `refresh_token` and `expires_at`.
    #[must_use]
    pub fn pair(mut self, access_token: &str, refresh_token: &str, expires_at: &str) -> Self {
        self.access_token = access_token.to_owned();
        self.refresh_token = refresh_token.to_owned();
        self.expires_at = expires_at.to_owned();
        self
    }

    /// What becomes of a refresh token that has been used.
    #[must_use]
    pub fn rotation(mut self, rotation: Rotation) -> Self {
        self.rotation = rotation;
        self
    }

    /// Seconds that an access token lasts, where the answers do not say.
    #[must_use]
    pub fn access_life(mut self, seconds: u32) -> Self {
        self.access_life = Some(seconds);
        self
    }

    /// Seconds after which an unused refresh token has ended.
    #[must_use]
    pub fn idle_life(mut self, seconds: u32) -> Self {
        self.idle_life = Some(seconds);
        self
    }

    /// A further field of the form, not secret.
    #[must_use]
    pub fn form_field(mut self, name: &str, value: &str) -> Self {
        self.more.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Further codes by which the provider says that the refresh token is revoked, expired or unknown, besides `invalid_grant`. They
    /// may be at `/error`, `/error/code`, `/status` or `/code` of the answer, whatever its HTTP status.
    #[must_use]
    pub fn ended_by(self, codes: &[&str]) -> Self {
        codes.iter().fold(self, |renewal, code| renewal.rule(Rule::new(code, None, Meaning::Ended)))
    }

    /// Further codes by which it refuses the OAuth client, besides `invalid_client` and `unauthorized_client`.
    #[must_use]
    pub fn client_refused_by(self, codes: &[&str]) -> Self {
        codes.iter().fold(self, |renewal, code| renewal.rule(Rule::new(code, None, Meaning::ClientRefused)))
    }

    /// A code that means the end of the refresh token only if the description holds these words.
    #[must_use]
    pub fn ended_if(self, code: &str, words: &str) -> Self {
        self.rule(Rule::new(code, Some(words), Meaning::Ended))
    }

    /// A code that says to try again later if the description holds these words.
    #[must_use]
    pub fn later_if(self, code: &str, words: &str) -> Self {
        self.rule(Rule::new(code, Some(words), Meaning::Later))
    }

    /// An answer that is not JSON has its code after these words: `Oauth error ` in the title of a page.
    #[must_use]
    pub fn code_in_page(mut self, words: &str) -> Self {
        self.page_words = Some(words.to_owned());
        self
    }

    fn rule(mut self, rule: Rule) -> Self {
        // What is told more precisely comes first. Of two codes in one answer, the one that does not end the connection counts.
        let place = match (&rule.words, rule.meaning) {
            (Some(_), _) => 0,
            (None, Meaning::Ended) => self.rules.len(),
            (None, _) => self.rules.iter().take_while(|known| known.words.is_some()).count(),
        };
        self.rules.insert(place, rule);
        self
    }

    /// What is granted, in place of a POST to the URL.
    #[must_use]
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grants.push(grant);
        self
    }

    /// A field of the credential, not secret, that the answer may have a new value for, at this JSON pointer.
    #[must_use]
    pub fn field(mut self, name: &str, pointer: &str) -> Self {
        self.fields.push((name.to_owned(), pointer.to_owned()));
        self
    }

    /// The same renewal at another URL, for a token endpoint that `{field}` cannot express.
    #[must_use]
    pub fn at(mut self, url: &str) -> Self {
        self.url = url.to_owned();
        self
    }

    /// The field of the access token, which names the pair.
    pub fn access_token_field(&self) -> &str {
        &self.access_token
    }

    pub(crate) fn into_wit(self, auth_type: &str) -> wit::Renewable {
        let grants = match self.grants.is_empty() {
            true => self.endpoint().into_wit().collect(),
            false => self.grants.into_iter().flat_map(Grant::into_wit).collect(),
        };
        wit::Renewable {
            auth_type: auth_type.to_owned(),
            access_token: self.access_token,
            refresh_token: Some(self.refresh_token),
            expires_at: Some(self.expires_at),
            grants,
            client: self.client.into_wit(),
            rotation: match self.rotation {
                Rotation::Stays => wit::Rotation::Stays,
                Rotation::SingleUse => wit::Rotation::SingleUse,
                Rotation::Grace { seconds } => wit::Rotation::Grace(seconds),
                Rotation::UntilNextUsed => wit::Rotation::UntilNextUsed,
            },
            access_life: self.access_life,
            idle_life: self.idle_life,
        }
    }

    /// The grant for the token endpoint. A host that begins with a field's value becomes a pattern.
    fn endpoint(&self) -> Grant {
        let pieces = url::split(&self.url);
        let host = pieces.origin.strip_prefix("https://").unwrap_or(&pieces.origin);
        let host = match host.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((_, rest)) if !rest.is_empty() => format!("*{rest}"),
            _ => host.to_owned(),
        };
        let path: String = pieces.segments.iter().flat_map(|segment| ["/", segment]).collect();
        Grant::host(&host).post(&path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_endpoint_is_what_is_asked_for() {
        for (url, host, path) in [
            ("https://api.acme.example/oauth/v3/token", "api.acme.example", "/oauth/v3/token"),
            ("https://{subdomain}.acme.example/oauth/tokens", "*.acme.example", "/oauth/tokens"),
            ("https://{base_url}/login/token", "{base_url}", "/login/token"),
        ] {
            let wit = Renewal::refresh(url).into_wit("oauth2");
            let [grant] = wit.grants.as_slice() else { panic!("{url}") };
            assert_eq!((grant.host.as_str(), grant.path_prefix.as_str()), (host, path));
        }
    }
}
