//! [`Mapping`]: from the names of a file to those of Keyferry.

use std::fmt;

use super::name_match::fold;
use super::part::Part;
use keyferry_types::ids::{AuthTypeName, FieldName, Slug};
use keyferry_types::secret::SharedSecret;

/// What a column is mapped to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Part(Part),
    Field(FieldName),
    /// It is not read.
    Nothing,
}

/// Maps the names of a file to those of Keyferry: a list of rules, of which the first that fits counts.
///
/// | rule | meaning |
/// |---|---|
/// | `customer=linked_account_id` | the column `customer` holds the linked account; so for `slug`, `auth_type`, `auth_object`, `account_name` and `updated_at` |
/// | `key=api_key` | the column `key` holds the field `api_key` |
/// | `hubspot/key=access_token` | it does in rows of HubSpot (of the slug as it is here) |
/// | `comment=` | the column is not read |
/// | `slug:hubspot-prod=hubspot` | the app that the file calls `hubspot-prod` is HubSpot |
/// | `auth_type:apikey=keybased` | so for auth types |
/// | `slug:=hubspot` | rows that name no app are HubSpot's; so for `auth_type:=`, `account_name:=`, `linked_account_id:=` |
/// | `region:=eu` | the field `region` where a row does not say, in rows of apps that have such a field |
/// | `datadog/site:=datadoghq.eu` | the same in rows of Datadog; so for `datadog/auth_type:=` |
///
/// A rule has the last word: it beats what a preset or the column's own name would do. Of two rules that fit, the one for one
/// app beats the one for all. Two for the same field or part, both for the same app or both for all, are an error.
///
/// Of JSON, a column is a member, and `user.id` the member `id` of the member `user`. As text it is a rule a line; blank lines
/// and lines that begin with `#` do not count. The same in TOML, which [`FromStr`](std::str::FromStr) reads, too:
///
/// ```
/// let mapping: keyferry_imports::input::Mapping = r#"
///     [columns]
///     customer = "linked_account_id"
///     "hubspot/key" = "access_token"
///     comment = ""
///
///     [slugs]
///     hubspot-prod = "hubspot"
///
///     [auth_types]
///     apikey = "keybased"
///
///     [defaults]
///     slug = "hubspot"
/// "#.parse()?;
/// # Ok::<(), keyferry_imports::input::InvalidMapping>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    pub(super) columns: Vec<Column>,
    pub(super) slugs: Vec<(String, String)>,
    pub(super) auth_types: Vec<(String, String)>,
    pub(super) defaults: Vec<Fallback>,
}

/// The default of a part or field.
#[derive(Debug, Clone)]
pub(super) struct Fallback {
    pub(super) app: Option<Slug>,
    pub(super) target: Target,
    pub(super) value: SharedSecret,
}

/// A rule about a column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// The app in whose rows it holds; none for all.
    pub(super) app: Option<Slug>,
    pub(super) from: String,
    pub(super) to: Target,
    /// The column as the rule names it, if the rule may be about this one instead: `HubSpot/key`, where this is `key`.
    pub(super) guess_of: Option<String>,
}

impl Mapping {
    /// What a column is mapped to in rows of apps without a rule of their own.
    pub(super) fn column(&self, from: &str) -> Option<&Target> {
        self.find(None, from)
    }

    /// What a column is mapped to in rows of that app.
    pub(super) fn column_of(&self, slug: &str, from: &str) -> Option<&Target> {
        self.find(Some(slug), from)
    }

    fn find(&self, app: Option<&str>, from: &str) -> Option<&Target> {
        let is_of_app = |column: &&Column| match (&column.app, app) {
            (None, None) => true,
            (Some(of), Some(app)) => is_same_app(of, app),
            _ => false,
        };
        self.columns.iter().filter(|column| column.from == from).find(is_of_app).map(|column| &column.to)
    }

    /// The columns that rules are about.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|column| column.guess_of.is_none()).map(|column| column.from.as_str())
    }

    /// The columns that the rule for a column may be about: the one that it names, and `key` where that is `HubSpot/key`.
    pub(super) fn meanings<'a>(&'a self, from: &'a str) -> impl Iterator<Item = &'a str> {
        let guesses = self.columns.iter().filter(move |column| column.guess_of.as_deref() == Some(from));
        std::iter::once(from).chain(guesses.map(|column| column.from.as_str()))
    }

    /// All names of columns that a rule may be about.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.from.as_str())
    }

    /// Whether a column has a rule for any app at all.
    pub(super) fn knows(&self, from: &str) -> bool {
        self.columns.iter().any(|column| column.from == from)
    }

    /// The path by which rules know a member of JSON, or look into it: its own, or the one that differs in case and separators
    /// only. `is_there` returns whether the row has a member with exactly that other path.
    pub(super) fn known_as(&self, path: &str, is_there: impl Fn(&str) -> bool) -> Option<&str> {
        if self.columns.is_empty() || self.knows(path) || self.looks_into(path) {
            return None;
        }
        let wanted: Vec<String> = path.split('.').map(fold).collect();
        let mut known: Option<&str> = None;
        for column in &self.columns {
            let end = column.from.match_indices('.').nth(wanted.len() - 1).map_or(column.from.len(), |(end, _)| end);
            let other = column.from.get(..end).unwrap_or_default();
            let is_same =
                other.split('.').map(fold).eq(wanted.iter().cloned()) && wanted.iter().all(|part| !part.is_empty());
            match known {
                _ if !is_same || is_there(other) => {}
                None => known = Some(other),
                Some(known) if known == other => {}
                // Two would fit.
                Some(_) => return None,
            }
        }
        known
    }

    /// Whether a rule is about something within that member.
    pub(super) fn looks_into(&self, member: &str) -> bool {
        let within = |column: &Column| column.from.strip_prefix(member).is_some_and(|rest| rest.starts_with('.'));
        self.columns.iter().any(within)
    }

    /// Columns that hold that part.
    pub(super) fn sources(&self, part: Part) -> impl Iterator<Item = &str> {
        let fits = move |column: &&Column| column.to == Target::Part(part);
        self.columns.iter().filter(fits).map(|column| column.from.as_str())
    }

    /// Columns that hold a field in rows of that app.
    pub(super) fn fields_of<'a>(&'a self, slug: &str) -> impl Iterator<Item = &'a str> {
        let fits = move |column: &&Column| {
            matches!(column.to, Target::Field(_)) && column.app.as_ref().is_none_or(|app| is_same_app(app, slug))
        };
        self.columns.iter().filter(fits).map(|column| column.from.as_str())
    }

    /// Whether a rule says which account a row is of.
    pub(super) fn names_accounts(&self) -> bool {
        self.sources(Part::Account).next().is_some() || self.default_of(Part::Account).is_some()
    }

    /// The slug that a rule gives an app of the file.
    pub(super) fn slug(&self, theirs: &str) -> Option<&str> {
        renamed(&self.slugs, theirs, |name| name.parse::<Slug>().is_ok())
    }

    /// The auth type that a rule gives one of the file.
    pub(super) fn auth_type(&self, theirs: &str) -> Option<&str> {
        renamed(&self.auth_types, theirs, |name| name.parse::<AuthTypeName>().is_ok())
    }

    /// The default of a part: the one for all apps, else the first for any app.
    pub(super) fn default_of(&self, part: Part) -> Option<&SharedSecret> {
        let fits = |default: &&Fallback| default.target == Target::Part(part);
        let of_all = self.defaults.iter().filter(fits).find(|default| default.app.is_none());
        of_all.or_else(|| self.defaults.iter().find(fits)).map(|default| &default.value)
    }

    /// The default auth type in rows of that app.
    pub(super) fn default_type(&self, slug: &str) -> Option<&SharedSecret> {
        self.defaults_for(slug)
            .find(|default| default.target == Target::Part(Part::AuthType))
            .map(|default| &default.value)
    }

    /// The defaults of fields in rows of that app, and whether each is for that app alone.
    pub(super) fn default_fields(&self, slug: &str) -> impl Iterator<Item = (&FieldName, &SharedSecret, bool)> {
        self.defaults_for(slug).filter_map(|default| match &default.target {
            Target::Field(name) => Some((name, &default.value, default.app.is_some())),
            Target::Part(_) | Target::Nothing => None,
        })
    }

    /// Defaults in rows of that app, its own first.
    fn defaults_for(&self, slug: &str) -> impl Iterator<Item = &Fallback> {
        let own =
            self.defaults.iter().filter(move |default| default.app.as_ref().is_some_and(|app| is_same_app(app, slug)));
        own.chain(self.defaults.iter().filter(|default| default.app.is_none()))
    }
}

/// Whether a row names this app, in any case and with any separators: `HubSpot` is `hubspot`.
fn is_same_app(app: &Slug, written: &str) -> bool {
    app.as_str() == written || fold(app.as_str()) == fold(written)
}

/// The name that a rule gives a name of the file. A name that could not be a slug or auth type also fits a rule by its letters and
/// digits alone, if it fits one rule only.
fn renamed<'a>(names: &'a [(String, String)], theirs: &str, is_ours: fn(&str) -> bool) -> Option<&'a str> {
    if let Some((_, ours)) = names.iter().find(|(from, _)| from == theirs) {
        return Some(ours);
    }
    if is_ours(theirs) {
        return None;
    }
    let folded = fold(theirs);
    let mut fitting = names.iter().filter(|(from, _)| !folded.is_empty() && fold(from) == folded);
    let (_, ours) = fitting.next()?;
    fitting.next().is_none().then_some(ours)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(part) => f.write_str(part.name()),
            Self::Field(name) => f.write_str(name.as_str()),
            Self::Nothing => Ok(()),
        }
    }
}
