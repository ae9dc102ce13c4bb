//! [`NameMatch`]: which of the known names a name in a file means.

use strsim::osa_distance;

use super::part::Part;
use keyferry_types::ids::FieldName;

/// Characters of the longest name that is compared.
const LONGEST: usize = 64;

/// How a name that is not known as it is relates to the known ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameMatch<'a> {
    /// It is exactly one of them but for case, separators and blanks.
    Same(&'a str),
    /// It is probably that one: a few slips away.
    Near(&'a str),
    Unknown,
}

/// Letters and digits alone, in lower case: `Access Token`, `access-token` and `accessToken` are all `accesstoken`.
pub(crate) fn fold(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Which of the known names is meant.
pub(crate) fn match_name<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> NameMatch<'a> {
    let folded = fold(name);
    if folded.is_empty() || folded.len() > LONGEST {
        return NameMatch::Unknown;
    }
    let slips = match folded.len() {
        0..=3 => 0,
        4..=7 => 1,
        8..=11 => 2,
        _ => 3,
    };
    let (mut same, mut near): (Vec<&str>, Option<(usize, &str)>) = (Vec::new(), None);
    for one in known {
        let other = fold(one);
        let distance = osa_distance(&folded, &other);
        if distance == 0 {
            same.push(one);
        } else if distance <= slips.min(other.len() / 3) && near.is_none_or(|(least, _)| distance < least) {
            near = Some((distance, one));
        }
    }
    match (same.as_slice(), near) {
        ([one], _) => NameMatch::Same(one),
        ([one, ..], _) => NameMatch::Near(one),
        ([], Some((_, one))) => NameMatch::Near(one),
        ([], None) => NameMatch::Unknown,
    }
}

impl Part {
    /// The part of that name, whatever its case and separators: `Linked Account ID`, `linkedAccountId`.
    pub(super) fn spelled(name: &str) -> Option<Self> {
        let spelled = || {
            let folded = fold(name);
            Self::ALL.into_iter().find(|part| fold(part.name()) == folded)
        };
        Self::named(name).or_else(spelled)
    }
}

/// The name that a field has by its title: `Access Token` -> `access_token`; the title itself where that is no name.
pub(super) fn field_of(title: &str) -> String {
    let name = as_field(title);
    let name = name.trim_matches('_');
    if name.parse::<FieldName>().is_ok() { name.to_owned() } else { title.to_owned() }
}

/// `instanceUrl`, `Instance URL` and `INSTANCE-URL` -> `instance_url`, as fields are called here.
fn as_field(name: &str) -> String {
    let mut field = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for c in name.trim().chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            field.push('_');
        }
        before = c;
        let is_separator = c.is_whitespace() || matches!(c, '-' | '.' | '/' | '_' | '(' | ')' | ':' | '#' | '*' | '?');
        match is_separator {
            true if field.ends_with('_') => {}
            true => field.push('_'),
            false => field.push(c.to_ascii_lowercase()),
        }
    }
    field
}

/// Names of columns that other systems' exports and people's tables use for the parts of a row.
const USUAL: [(Part, &[&str]); 6] = [
    (
        Part::Account,
        &[
            "linkedaccount",
            "accountid",
            "account",
            "customerid",
            "customerno",
            "customernumber",
            "customer",
            "userid",
            "user",
            "enduserid",
            "enduser",
            "tenantid",
            "tenant",
            "clientid",
            "organizationid",
            "organisationid",
            "orgid",
            "organization",
            "organisation",
            "org",
            "companyid",
            "company",
            "workspaceid",
            "workspace",
            "externalid",
            "externaluserid",
            "connectionid",
            "entityid",
            "customeridentifier",
            "useridentifier",
            "email",
            "useremail",
            "id",
        ],
    ),
    (
        Part::Slug,
        &[
            "app",
            "appslug",
            "appname",
            "appid",
            "application",
            "integration",
            "integrationid",
            "integrationslug",
            "provider",
            "providername",
            "providerconfigkey",
            "service",
            "connector",
            "connectorid",
            "toolkit",
            "platform",
            "system",
            "vendor",
            "product",
        ],
    ),
    (
        Part::AuthType,
        &[
            "auth",
            "authkind",
            "authmethod",
            "authmode",
            "authscheme",
            "authenticationtype",
            "authentication",
            "credentialtype",
            "credentialstype",
            "kind",
            "type",
            "method",
            "scheme",
        ],
    ),
    (Part::AuthObject, &["credentials", "credential", "creds", "authdata", "secrets", "credentialsjson", "auth"]),
    (Part::AccountName, &["customername", "username", "displayname", "tenantname", "companyname", "name"]),
    (Part::UpdatedAt, &["updated", "lastupdated", "modifiedat", "modified", "lastmodified", "changedat"]),
];

/// Rules of a mapping that say where the missing parts of a row probably are, as far as the names of its columns suggest it: each is a
/// column and a part.
pub(super) fn probable<'a>(names: &[&'a str], missing: &[Part]) -> Vec<(&'a str, Part)> {
    let mut found: Vec<(&str, Part)> = Vec::new();
    for &part in missing {
        let is_free = |name: &&&str| !found.iter().any(|(taken, _)| taken == *name) && Part::spelled(name).is_none();
        // `Linked Account ID (required)` is one, too.
        let plain = |name: &'a str| name.split(['(', '[']).next().unwrap_or(name);
        let near =
            names.iter().filter(is_free).find(|name| match_name(plain(name), [part.name()]) != NameMatch::Unknown);
        let usual = || {
            let words = USUAL.iter().find(|(of, _)| *of == part).map(|(_, words)| *words).unwrap_or_default();
            words.iter().find_map(|word| names.iter().filter(is_free).find(|name| fold(plain(name)) == **word))
        };
        if let Some(name) = near.or_else(usual) {
            found.push((name, part));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_but_for_case_and_separators() {
        let known = ["access_token", "api_key", "linked_account_id", "slug"];
        for name in [
            "Access Token",
            "access-token",
            "accessToken",
            "ACCESS_TOKEN",
            "AccessToken",
            " access  token ",
            "access.token",
        ] {
            assert_eq!(match_name(name, known), NameMatch::Same("access_token"), "{name}");
        }
        for (name, near) in [
            ("acess_token", "access_token"),
            ("Acces Token", "access_token"),
            ("linked_acount_id", "linked_account_id"),
            ("apikee", "api_key"),
            ("slugs", "slug"),
        ] {
            assert_eq!(match_name(name, known), NameMatch::Near(near), "{name}");
        }
        for name in ["token", "", "--", "refresh_token", "id", "key"] {
            assert_eq!(match_name(name, known), NameMatch::Unknown, "{name}");
        }
        assert_eq!(match_name("API Key", ["api_key", "apikey"]), NameMatch::Near("api_key"), "two would fit");
    }

    #[test]
    fn titles_become_names_of_fields() {
        for (title, name) in [
            ("Access Token", "access_token"),
            ("API Key", "api_key"),
            ("apiKey", "api_key"),
            ("instance_url", "instance_url"),
            ("your-domain", "your_domain"),
            ("COMPANYDOMAIN", "companydomain"),
            ("oauth2Token", "oauth2_token"),
            ("Key / Secret", "key_secret"),
            (" Notes ", "notes"),
        ] {
            assert_eq!(as_field(title), name, "{title}");
        }
    }

    #[test]
    fn where_parts_probably_are_is_told_by_usual_names() {
        let missing = [Part::Account, Part::Slug, Part::AuthType];
        let names = ["Customer", "app", "kind", "key"];
        assert_eq!(
            probable(&names, &missing),
            [("Customer", Part::Account), ("app", Part::Slug), ("kind", Part::AuthType)]
        );
        assert_eq!(probable(&["linked_acount_id", "x"], &missing), [("linked_acount_id", Part::Account)]);
        assert_eq!(probable(&["slug", "user", "id"], &[Part::Account]), [("user", Part::Account)]);
        assert_eq!(
            probable(&["Linked Account ID (required)", "App [name]"], &missing),
            [("Linked Account ID (required)", Part::Account), ("App [name]", Part::Slug)]
        );
        assert_eq!(probable(&["x"], &missing), []);
    }
}
