use crate::bindings::exports::keyferry::plugin::app as wit;

/// One field of a credential.
///
/// By default it is optional, and the caller supplies it.
///
/// ```
/// # use keyferry_plugin::prelude::*;
/// Field::secret("api_key", "API key")
///     .required()
///     .hint("-us[0-9]{1,3}$")
///     .help("Profile > Extras > API keys.")
///     .example("0123456789abcdef0123456789abcdef-us21");
/// ```
pub struct Field(wit::Field);

impl Field {
    /// One line of text that is not secret.
    pub fn text(name: &str, label: &str) -> Self {
        Self::new(name, label, wit::FieldKind::Text)
    }

    /// One line of secret text. The plugin gets a handle for it.
    pub fn secret(name: &str, label: &str) -> Self {
        let mut field = Self::text(name, label);
        field.0.secret = true;
        field
    }

    /// A field with a number as its value.
    pub fn number(name: &str, label: &str) -> Self {
        Self::new(name, label, wit::FieldKind::Number)
    }

    /// A field with the value `true` or `false`.
    pub fn boolean(name: &str, label: &str) -> Self {
        Self::new(name, label, wit::FieldKind::Boolean)
    }

    /// An absolute `https:` URL.
    pub fn url(name: &str, label: &str) -> Self {
        Self::new(name, label, wit::FieldKind::Url)
    }

    /// One of several values, each with its name for people: `&[("us", "United States"), ("eu", "Europe")]`.
    pub fn select(name: &str, label: &str, choices: &[(&str, &str)]) -> Self {
        let mut field = Self::new(name, label, wit::FieldKind::Select);
        let choice = |&(value, label): &(&str, &str)| wit::Choice { value: value.to_owned(), label: label.to_owned() };
        field.0.options = choices.iter().map(choice).collect();
        field
    }

    /// Text that a host has as one of its labels, such as `acme` of acme.zendesk.com. It is required, and cannot break out.
    pub fn host_label(name: &str, label: &str) -> Self {
        Self::text(name, label).required().pattern("^[a-z0-9][a-z0-9-]{0,62}$")
    }

    /// A tenant's label below a domain, such as `acme` of acme.zendesk.com. It is required. Besides the label in any case, the
    /// address of a page at that host is taken, as people copy it out of a browser;
    /// [`Credential::tenant`](crate::Credential::tenant) reads the label out of it.
    pub fn tenant(name: &str, label: &str, domain: &str) -> Self {
        let domain = domain.replace('.', "\\.");
        let address = format!("/?|\\.{domain}\\.?(:443)?([/?#].*)?");
        Self::text(name, label).required().pattern(&format!("(?i)^(https?://)?[a-z0-9][a-z0-9-]*({address})$"))
    }

    /// What else matches beside the [`pattern`](Self::pattern), with the same switches: another way to write the value.
    #[must_use]
    pub fn or_pattern(mut self, regex: &str) -> Self {
        let known = self.0.pattern.take().unwrap_or_default();
        let (switch, known) = known.strip_prefix("(?i)").map_or(("", known.as_str()), |rest| ("(?i)", rest));
        self.0.pattern = Some(format!("{switch}{known}|^{regex}$"));
        self
    }

    /// `refresh_token`, a secret that OAuth 2.0 providers issue beside the access token. Keyferry keeps it, and never uses
    /// it unasked: many providers' refresh tokens work once.
    pub fn refresh_token() -> Self {
        Self::secret("refresh_token", "Refresh token")
            .help("`refresh_token` in the answer that the access token came in.")
            .example("example-refresh-token")
    }

    /// `expires_at`, the time at which an access token ends. [`Credential::future_ms`](crate::Credential::future_ms)
    /// reads it.
    pub fn expires_at() -> Self {
        Self::number("expires_at", "Expires at")
            .help("When the access token ends, as RFC 3339 or Unix time in seconds or milliseconds.")
            .example("1767225600")
    }

    fn new(name: &str, label: &str, kind: wit::FieldKind) -> Self {
        Self(wit::Field {
            name: name.to_owned(),
            label: label.to_owned(),
            kind,
            secret: false,
            required: false,
            default: None,
            options: Vec::new(),
            pattern: None,
            min_length: None,
            max_length: None,
            placeholder: None,
            help: None,
            example: None,
            hint: None,
            supplier: wit::Supplier::Caller,
        })
    }

    /// Several lines instead of one: `Field::secret("private_key", "Private key").multiline()`.
    #[must_use]
    pub fn multiline(mut self) -> Self {
        self.0.kind = wit::FieldKind::Multiline;
        self
    }

    /// A credential without it is refused.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.0.required = true;
        self
    }

    /// Value that is used where the field is missing. Not for secrets.
    #[must_use]
    pub fn default(mut self, value: &str) -> Self {
        self.0.default = Some(value.to_owned());
        self
    }

    /// A regular expression that the whole value must match.
    #[must_use]
    pub fn pattern(mut self, regex: &str) -> Self {
        self.0.pattern = Some(regex.to_owned());
        self
    }

    /// The least and the greatest number of characters.
    #[must_use]
    pub fn length(mut self, least: u32, greatest: u32) -> Self {
        self.0.min_length = Some(least);
        self.0.max_length = Some(greatest);
        self
    }

    /// Shown in an empty input.
    #[must_use]
    pub fn placeholder(mut self, text: &str) -> Self {
        self.0.placeholder = Some(text.to_owned());
        self
    }

    /// Where to find the value, in a sentence.
    #[must_use]
    pub fn help(mut self, text: &str) -> Self {
        self.0.help = Some(text.to_owned());
        self
    }

    /// A made-up value of the right shape. Never a real one.
    #[must_use]
    pub fn example(mut self, value: &str) -> Self {
        self.0.example = Some(value.to_owned());
        self
    }

    /// For a secret: a regular expression whose match is shown to the plugin, such as `^xox[bp]-` for a key's prefix.
    /// [`Credential::hint`](crate::Credential::hint) has it. It must be anchored at one end; a match of more than 12 characters,
    /// or of more than a third of the value, is not shown.
    #[must_use]
    pub fn hint(mut self, regex: &str) -> Self {
        self.0.hint = Some(regex.to_owned());
        self
    }

    /// The organisation's own app settings supply it, and no caller has to.
    #[must_use]
    pub fn by_organisation(mut self) -> Self {
        self.0.supplier = wit::Supplier::Organisation;
        self
    }

    pub(crate) fn into_wit(self) -> wit::Field {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_the_callers_optional_and_plain_until_told_otherwise() {
        let plain = Field::text("account_id", "Account ID").into_wit();
        assert!(!plain.secret && !plain.required);
        assert_eq!(plain.supplier, wit::Supplier::Caller);

        let key = Field::secret("private_key", "Private key").multiline().required().length(1, 9).into_wit();
        assert!(key.secret && key.required);
        assert_eq!(key.kind, wit::FieldKind::Multiline);
        assert_eq!((key.min_length, key.max_length), (Some(1), Some(9)));
    }

    #[test]
    fn a_tenant_is_described_by_its_label_and_by_addresses_at_its_domain() {
        let pattern = |field: Field| field.into_wit().pattern.unwrap();
        let plain = pattern(Field::tenant("subdomain", "Subdomain", "example.com"));
        let label = "^(https?://)?[a-z0-9][a-z0-9-]*(/?|\\.example\\.com\\.?(:443)?([/?#].*)?)$";
        assert_eq!(plain, format!("(?i){label}"));
        let wider = pattern(Field::tenant("subdomain", "Subdomain", "example.com").or_pattern("a/[a-z]+"));
        assert_eq!(wider, format!("(?i){label}|^a/[a-z]+$"));
    }

    #[test]
    fn a_select_keeps_its_choices_in_order() {
        let region = Field::select("region", "Region", &[("us", "US"), ("eu", "Europe")]).default("us").into_wit();
        let values: Vec<_> = region.options.iter().map(|choice| choice.value.as_str()).collect();
        assert_eq!(values, ["us", "eu"]);
        assert_eq!(region.default.as_deref(), Some("us"));
    }
}
