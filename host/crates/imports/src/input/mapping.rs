//! [`Mapping`]: what a file calls things, and what they are called here.

use std::fmt;
use std::str::FromStr;

use super::looks_secret::{is_telling_name, looks_secret};
use super::spelling::fold;
use keyferry_types::ids::{AuthTypeName, FieldName, LinkedAccountId, Slug};
use keyferry_types::secret::{Secret, SharedSecret};

/// What a row has besides the fields of its credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Account,
    Slug,
    AuthType,
    AuthObject,
    AccountName,
    UpdatedAt,
}

impl Part {
    pub(super) const NAMES: [&str; 6] =
        ["linked_account_id", "slug", "auth_type", "auth_object", "account_name", "updated_at"];
    const ALL: [Self; 6] =
        [Self::Account, Self::Slug, Self::AuthType, Self::AuthObject, Self::AccountName, Self::UpdatedAt];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Account => "linked_account_id",
            Self::Slug => "slug",
            Self::AuthType => "auth_type",
            Self::AuthObject => "auth_object",
            Self::AccountName => "account_name",
            Self::UpdatedAt => "updated_at",
        }
    }

    /// The part of exactly that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// The part of that name, whatever its case and separators: `Linked Account ID`, `linkedAccountId`.
    pub(super) fn spelled(name: &str) -> Option<Self> {
        let spelled = || {
            let folded = fold(name);
            Self::ALL.into_iter().find(|part| fold(part.name()) == folded)
        };
        Self::named(name).or_else(spelled)
    }
}

/// Some of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Parts(u8);

impl Parts {
    pub(super) fn of(part: Option<Part>) -> Self {
        Self(part.map_or(0, Self::bit))
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// One by one, in the usual order.
    pub(super) fn list(self) -> Vec<Part> {
        Part::ALL.into_iter().filter(|part| self.0 & Self::bit(*part) != 0).collect()
    }

    fn bit(part: Part) -> u8 {
        1 << part as u8
    }
}

/// What becomes of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Part(Part),
    Field(FieldName),
    /// It is not read.
    Nothing,
}

/// What a file calls things, and what they are called here: a list of rules, the first that fits counts.
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
/// and lines that begin with `#` do not count. The same in TOML, as [`FromStr`] reads it, too:
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
    columns: Vec<Column>,
    slugs: Vec<(String, String)>,
    auth_types: Vec<(String, String)>,
    defaults: Vec<Fallback>,
}

/// What something is where a row does not say.
#[derive(Debug, Clone)]
struct Fallback {
    app: Option<Slug>,
    target: Target,
    value: SharedSecret,
}

#[derive(Debug, Clone)]
struct Column {
    app: Option<Slug>,
    from: String,
    to: Target,
    /// The rule may be about another column.
    is_guess: bool,
}

/// An invalid rule of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidMapping {
    /// Which one, counted from 1: a line, or an entry of TOML.
    pub rule: usize,
    /// The error in words.
    pub message: String,
}

impl fmt::Display for InvalidMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} of the mapping: {}", self.rule, self.message)
    }
}

impl Mapping {
    /// Adds a rule, `column=field`.
    ///
    /// # Errors
    /// The rule is invalid, or contradicts an earlier one.
    pub fn add(&mut self, rule: &str) -> Result<(), InvalidMapping> {
        self.add_rule(rule).map_err(|message| InvalidMapping { rule: 1, message })
    }

    fn add_rule(&mut self, rule: &str) -> Result<(), String> {
        // A value after `:=` may hold anything. Elsewhere the last `=` counts: names of ours have none.
        if let Some((name, value)) = rule.split_once(":=").filter(|(name, _)| !name.contains('=')) {
            return self.add_default(name.trim(), value.trim());
        }
        let (from, to) = rule.rsplit_once('=').ok_or("a rule reads `column=field`")?;
        let (from, to) = (from.trim(), to.trim());
        if let Some(theirs) = from.strip_prefix("slug:") {
            return self.add_slug(theirs.trim(), to);
        }
        if let Some(theirs) = from.strip_prefix("auth_type:") {
            return self.add_auth_type(theirs.trim(), to);
        }
        self.add_column(from, to)
    }

    fn add_column(&mut self, from: &str, to: &str) -> Result<(), String> {
        let (app, from) = match from.split_once('/') {
            Some((app, from)) if app.parse::<Slug>().is_ok() => (app.parse::<Slug>().ok(), from),
            _ => (None, from),
        };
        if from.is_empty() {
            return Err("the name of the column is empty".to_owned());
        }
        let to = target(to)?;
        if app.is_some() && matches!(to, Target::Part(_)) {
            return Err(
                "a rule for one app can only map a field, not the linked account, the app or the auth type".to_owned()
            );
        }
        let given = || self.columns.iter().filter(|column| !column.is_guess);
        if let Some(other) = given().find(|column| column.app == app && column.from == from) {
            let (other, this) = (other.rule(), rule(app.as_ref(), from, &to));
            return Err(format!("the column is mapped twice: `{other}` and `{this}`"));
        }
        let is_same = |column: &&Column| column.app == app && column.to == to && to != Target::Nothing;
        if let Some(other) = given().find(is_same) {
            let (other, this) = (other.rule(), rule(app.as_ref(), from, &to));
            return Err(format!("two rules say what `{to}` is: `{other}` and `{this}`"));
        }
        if app.is_none() {
            self.add_spelled(from, &to);
        }
        self.columns.push(Column { app, from: from.to_owned(), to, is_guess: false });
        Ok(())
    }

    /// `HubSpot/key` can be the column of that name, or `key` in rows of HubSpot: it is both.
    fn add_spelled(&mut self, from: &str, to: &Target) {
        if let Some((app, from)) = from.split_once('/')
            && let Ok(app) = fold(app).parse::<Slug>()
            && !from.is_empty()
            && !matches!(to, Target::Part(_))
        {
            self.columns.push(Column { app: Some(app), from: from.to_owned(), to: to.clone(), is_guess: true });
        }
    }

    fn add_slug(&mut self, theirs: &str, ours: &str) -> Result<(), String> {
        ours.parse::<Slug>().map_err(|error| error.rule())?;
        self.slugs.push((theirs.to_owned(), ours.to_owned()));
        Ok(())
    }

    fn add_auth_type(&mut self, theirs: &str, ours: &str) -> Result<(), String> {
        ours.parse::<AuthTypeName>().map_err(|error| error.rule())?;
        self.auth_types.push((theirs.to_owned(), ours.to_owned()));
        Ok(())
    }

    fn add_default(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (app, name) = match name.split_once('/') {
            Some((app, name)) => (Some(app.parse::<Slug>().map_err(|error| error.rule())?), name),
            None => (None, name),
        };
        let target = target(name)?;
        if app.is_some() && !matches!(target, Target::Field(_) | Target::Part(Part::AuthType)) {
            return Err("a default for one app sets a field or `auth_type`".to_owned());
        }
        match target {
            Target::Part(Part::Slug) => drop(value.parse::<Slug>().map_err(|error| error.rule())?),
            Target::Part(Part::AuthType) => drop(value.parse::<AuthTypeName>().map_err(|error| error.rule())?),
            Target::Part(Part::Account) => drop(value.parse::<LinkedAccountId>().map_err(|error| error.rule())?),
            Target::Part(Part::AccountName) | Target::Field(_) if !value.is_empty() => {}
            Target::Part(Part::AccountName) | Target::Field(_) => return Err("the default is empty".to_owned()),
            Target::Part(part) => return Err(format!("`{}` has no default", part.name())),
            Target::Nothing => return Err("a default needs a target: `slug:=hubspot`".to_owned()),
        }
        if self.defaults.iter().any(|other| other.app == app && other.target == target) {
            let of = app.map(|app| format!("{app}/")).unwrap_or_default();
            return Err(format!("the default `{of}{target}:=` is given twice"));
        }
        self.defaults.push(Fallback { app, target, value: SharedSecret::new(Secret::new(value)) });
        Ok(())
    }

    fn add_toml(&mut self, table: &toml::Table) -> Result<(), InvalidMapping> {
        let mut rule = 0;
        for (section, entries) in table {
            let entries = entries.as_table().ok_or_else(|| InvalidMapping {
                rule: rule + 1,
                message: "an entry belongs in a section: [columns], [slugs], [auth_types] or [defaults]".to_owned(),
            })?;
            for (theirs, ours) in entries {
                rule += 1;
                let added = match (section.as_str(), ours.as_str()) {
                    (_, None) => Err("a value has to be a string; a name with a dot in it needs quotes".to_owned()),
                    ("columns", Some(ours)) => self.add_column(theirs, ours),
                    ("slugs", Some(ours)) => self.add_slug(theirs, ours),
                    ("auth_types", Some(ours)) => self.add_auth_type(theirs, ours),
                    ("defaults", Some(ours)) => self.add_default(theirs, ours),
                    _ => Err("the sections are [columns], [slugs], [auth_types] and [defaults]".to_owned()),
                };
                added.map_err(|message| InvalidMapping { rule, message })?;
            }
        }
        Ok(())
    }

    /// What becomes of a column wherever no app has a rule of its own.
    pub(super) fn column(&self, from: &str) -> Option<&Target> {
        self.find(None, from)
    }

    /// What becomes of a column in rows of that app.
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
        self.columns.iter().filter(|column| !column.is_guess).map(|column| column.from.as_str())
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

    /// What an app is called here.
    pub(super) fn slug(&self, theirs: &str) -> Option<&str> {
        renamed(&self.slugs, theirs, |name| name.parse::<Slug>().is_ok())
    }

    /// What an auth type is called here.
    pub(super) fn auth_type(&self, theirs: &str) -> Option<&str> {
        renamed(&self.auth_types, theirs, |name| name.parse::<AuthTypeName>().is_ok())
    }

    /// What a part is where a row does not say; for any app at all, if there is no default for all of them.
    pub(super) fn default_of(&self, part: Part) -> Option<&SharedSecret> {
        let fits = |default: &&Fallback| default.target == Target::Part(part);
        let of_all = self.defaults.iter().filter(fits).find(|default| default.app.is_none());
        of_all.or_else(|| self.defaults.iter().find(fits)).map(|default| &default.value)
    }

    /// What the auth type is where a row of that app does not say.
    pub(super) fn default_type(&self, slug: &str) -> Option<&SharedSecret> {
        self.defaults_for(slug)
            .find(|default| default.target == Target::Part(Part::AuthType))
            .map(|default| &default.value)
    }

    /// What fields are where a row of that app does not say, and whether the default is for that app.
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

impl Column {
    fn rule(&self) -> String {
        rule(self.app.as_ref(), &self.from, &self.to)
    }
}

/// Whether a row's word for its app is that app, whatever its case and separators: `HubSpot` is `hubspot`.
fn is_same_app(app: &Slug, written: &str) -> bool {
    app.as_str() == written || fold(app.as_str()) == fold(written)
}

/// What a name is called here; one that could not be ours as it is, also by its letters and digits alone, where that fits one
/// rule only.
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

/// The name of a default that may hold a secret: it is not to be shown with its value.
pub fn secret_default(rule: &str) -> Option<&str> {
    let (name, value) = rule.trim().split_once(":=")?;
    let field = name.rsplit('/').next().unwrap_or(name);
    let may_be_secret = is_telling_name(field) || looks_secret(field, value);
    (Part::spelled(field).is_none() && may_be_secret).then_some(name)
}

/// A rule as it is written.
fn rule(app: Option<&Slug>, from: &str, to: &Target) -> String {
    let app = app.map(|app| format!("{app}/")).unwrap_or_default();
    format!("{app}{from}={to}")
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

fn target(name: &str) -> Result<Target, String> {
    if name.is_empty() {
        return Ok(Target::Nothing);
    }
    match Part::spelled(name) {
        Some(part) => Ok(Target::Part(part)),
        None => name.parse().map(Target::Field).map_err(|error: keyferry_types::ids::InvalidName| error.rule()),
    }
}

impl FromStr for Mapping {
    type Err = InvalidMapping;

    fn from_str(text: &str) -> Result<Self, InvalidMapping> {
        let mut mapping = Self::default();
        let is_rule = |line: &str| !line.is_empty() && !line.starts_with('#');
        // As some editors write it.
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().map(str::trim).find(|line| is_rule(line)).unwrap_or_default();
        if first.starts_with('[') {
            let table = text.parse::<toml::Table>().map_err(|error| {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                InvalidMapping { rule: 1, message: format!("line {line} is not TOML: {}", error.message()) }
            })?;
            mapping.add_toml(&table)?;
            return Ok(mapping);
        }
        for (number, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| is_rule(line)) {
            mapping.add_rule(line).map_err(|message| InvalidMapping { rule: number + 1, message })?;
        }
        Ok(mapping)
    }
}
