//! How a file is to be read, and its rows to be dealt with: the parameters of the query, or the parts before the file.

use std::fmt::Display;
use std::str::FromStr;

use utoipa::IntoParams;

use crate::error::api_error::ApiError;
use crate::request::parameters::invalid_query;
use keyferry_imports::input::{Mapping, Preset, ReadOptions};
use keyferry_schema::is_unfit;
use keyferry_store::{ImportMode, ImportPolicy, MissingAccounts, SameFile};
use keyferry_types::echo::safe_name;

/// What can be said of an import.
const NAMES: [&str; 10] = [
    "from",
    "map",
    "dry_run",
    "on_unverified",
    "on_existing",
    "create_accounts",
    "account_change",
    "max_failures",
    "again",
    "file",
];
/// Characters of a file's name.
const LONGEST_NAME: usize = 200;

/// The parameters, as they are described. They are read by [`Options::set`], which refuses what it does not know.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is there for the description")]
pub(crate) struct ImportQuery {
    /// The system that the file was exported from.
    #[param(value_type = Option<String>, example = "native")]
    from: Option<String>,
    /// What the file calls things, and what they are called here: rules such as `customer=linked_account_id`, `hubspot/key=access_token`,
    /// `slug:HubSpot-Prod=hubspot` or `slug:=hubspot`, one a line. The description has all of them.
    #[param(value_type = Option<String>, example = "customer=linked_account_id")]
    map: Option<String>,
    /// `true`: verify each credential and store none.
    dry_run: Option<bool>,
    /// What is done with a credential that could not be verified though nothing says that it is bad.
    #[param(value_type = Option<String>)]
    on_unverified: Option<String>,
    /// What is done where the account has a credential for the app: replace it, keep it, or replace it if the row says by
    /// `updated_at` that its own is newer.
    #[param(value_type = Option<String>)]
    on_existing: Option<String>,
    /// `true`: create accounts that are not there. Otherwise their rows fail.
    create_accounts: Option<bool>,
    /// What is done where a credential turns out to be another account's than the stored one.
    #[param(value_type = Option<String>)]
    account_change: Option<String>,
    /// Stop after this many failed rows: a number, or a share such as `5%`.
    #[param(value_type = Option<String>, pattern = "^([1-9][0-9]{0,8}|([1-9][0-9]?|100)%)$", example = "5%")]
    max_failures: Option<String>,
    /// `true`: import a file that was imported before.
    again: Option<bool>,
    /// The file's name, to know it again by.
    #[param(max_length = 200, pattern = r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]*$")]
    file: Option<String>,
}

/// The options of one request.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) reading: ReadOptions,
    pub(super) policy: ImportPolicy,
    pub(super) again: bool,
    pub(super) file: Option<String>,
    /// What was said so far, in the query and in parts.
    given: Vec<(&'static str, String)>,
}

impl Options {
    /// Parses the options of a query.
    pub(super) fn from_query(query: Option<&str>) -> Result<Self, ApiError> {
        let mut options = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            options.set(&name, &value)?;
        }
        Ok(options)
    }

    /// One of them. It can be said again in the same words only.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        let Some(name) = NAMES.into_iter().find(|known| *known == name) else {
            return Err(invalid_query(&format!(
                "`{}` is not known; there are {}",
                safe_name(name, NAMES),
                NAMES.join(", ")
            )));
        };
        match self.given.iter().find(|(known, _)| *known == name) {
            Some((_, same)) if same == value => return Ok(()),
            Some(_) => return Err(invalid_query(&format!("`{name}` is there twice, with different values"))),
            None => self.given.push((name, value.to_owned())),
        }
        match name {
            "from" => self.reading.preset = choice::<Preset>(name, value)?,
            "map" => self.reading.mapping = choice::<Mapping>(name, value)?,
            "dry_run" => self.policy.mode = if flag(name, value)? { ImportMode::DryRun } else { ImportMode::Apply },
            "on_unverified" => self.policy.on_unverified = choice(name, value)?,
            "on_existing" => self.policy.on_existing = choice(name, value)?,
            "create_accounts" => {
                self.policy.accounts =
                    if flag(name, value)? { MissingAccounts::Create } else { MissingAccounts::Reject };
            }
            "account_change" => self.policy.account_change = choice(name, value)?,
            "max_failures" => self.policy.max_failures = Some(choice(name, value)?),
            "again" => self.again = flag(name, value)?,
            _ => {
                if value.chars().count() > LONGEST_NAME || value.chars().any(is_unfit) {
                    return Err(invalid_query(&format!("`{name}` is a name of up to {LONGEST_NAME} characters")));
                }
                self.file = Some(value.to_owned()).filter(|name| !name.is_empty());
            }
        }
        Ok(())
    }

    /// Whether the file may have been imported before.
    pub(super) fn same_file(&self) -> SameFile {
        if self.again { SameFile::Allowed } else { SameFile::Refused }
    }
}

fn choice<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, ApiError> {
    value.parse().map_err(|error: T::Err| invalid_query(&format!("`{name}`: {error}")))
}

fn flag(name: &str, value: &str) -> Result<bool, ApiError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid_query(&format!("`{name}` is `true` or `false`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_store::{MaxFailures, OnExisting};

    #[test]
    fn what_is_said_is_taken_and_what_is_not_known_is_refused() {
        let query =
            "from=nango&dry_run=true&on_existing=newer&max_failures=5%25&again=true&file=a.ndjson&create_accounts=true";
        let options = Options::from_query(Some(&format!("{query}&dry_run=true&%66rom=nango"))).unwrap();
        assert_eq!(options.reading.preset, Preset::Nango);
        assert_eq!(options.policy.mode, ImportMode::DryRun);
        assert_eq!(options.policy.on_existing, OnExisting::Newer);
        assert_eq!(options.policy.accounts, MissingAccounts::Create);
        assert_eq!(options.policy.max_failures, Some(MaxFailures::Percent(5)));
        assert_eq!((options.same_file(), options.file.as_deref()), (SameFile::Allowed, Some("a.ndjson")));
        for (query, part) in [
            ("dry_runs=true", "`dry_runs` is not known"),
            ("colour=red", "`colour` is not known"),
            ("dry_run=yes", "`dry_run` is `true` or `false`"),
            ("again=true&again=false", "`again` is there twice"),
            ("dry_run=true&dry%5Frun=false", "`dry_run` is there twice"),
            ("account_change=reject&from=nango&account_change=replace", "`account_change` is there twice"),
            ("max_failures=5&max_failures=05", "`max_failures` is there twice"),
            ("DRY_RUN=true", "is not known"),
            ("on_existing=s3cr3t", "update or skip or newer"),
            ("max_failures=0", "1% to 100%"),
            ("s3cr3t_of_somebody=1", "`***` is not known"),
            ("from=s3cr3t", "preset"),
        ] {
            let failure = format!("{:?}", Options::from_query(Some(query)).unwrap_err());
            assert!(failure.contains(part) && !failure.contains("s3cr3t"), "{query}: {failure}");
        }
    }
}
