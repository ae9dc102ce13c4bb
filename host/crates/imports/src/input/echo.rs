//! Names of a file as messages repeat them, and rules about them that can be pasted into a shell.

use std::path::Path;

use super::name_match::{NameMatch, fold, match_name};
use super::part::Part;
use keyferry_schema::is_unfit;
use keyferry_types::ids::Slug;
use keyferry_types::invisible::is_invisible;

/// Characters of a name that are shown.
const SHOWN: usize = 64;
/// Columns that are listed by name.
const MOST_LISTED: usize = 40;

/// A word that a shell reads as it is.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A path as a word that a shell reads as it is. Characters that cannot be shown are written as escapes within `$'...'`, which shells
/// make the same bytes of.
pub fn shell_path(path: &Path) -> String {
    let is_shown = |c: char| !is_unfit(c) && !is_invisible(c);
    match path.to_str() {
        Some(path) if path.chars().all(is_shown) => shell_word(path),
        _ => {
            let mut word = String::from("$'");
            for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
                for c in chunk.valid().chars() {
                    match c {
                        '\\' | '\'' => word.extend(['\\', c]),
                        c if is_shown(c) => word.push(c),
                        c => {
                            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| word.push_str(&format!("\\x{byte:02x}")))
                        }
                    }
                }
                chunk.invalid().iter().for_each(|byte| word.push_str(&format!("\\x{byte:02x}")));
            }
            word.push('\'');
            word
        }
    }
}

/// A rule as an argument that can be pasted into a shell.
pub(crate) fn argument(rule: &str) -> String {
    format!("--map {}", shell_word(rule))
}

/// A rule about a column as an argument that can be pasted into a shell. A name that looks like a value is not repeated.
pub(super) fn rule(column: &str, target: &str) -> String {
    if looks_like_value(column) {
        return argument(&format!("COLUMN={target}"));
    }
    argument(&format!("{}={target}", as_rule(&one_line(column))))
}

/// A column's name as a rule can begin with it: `#`, `a/` and a colon before the `=` mean something else there. Case and separators
/// are free, so that it is the same column without them.
fn as_rule(column: &str) -> String {
    let name = column.trim_start_matches('#').trim_end_matches([':', ' ']).trim();
    let is_of_app = name.split_once('/').is_some_and(|(app, _)| app.parse::<Slug>().is_ok());
    let name = if is_of_app { name.replacen('/', " ", 1) } else { name.to_owned() };
    if fold(&name).is_empty() { column.to_owned() } else { name }
}

/// A column's or member's name as it is repeated in a message, in backquotes: on one line, of bounded length. What looks like a value,
/// since a file may lack its header or mix up names and values, is not repeated.
pub(super) fn quoted(name: &str) -> String {
    if looks_like_value(name) {
        return "`***`".to_owned();
    }
    let plain = one_line(name);
    match plain.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}...`", plain.get(..end).unwrap_or_default()),
        None => format!("`{plain}`"),
    }
}

/// Several names as [`quoted`], as many as can be read.
pub(super) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let mut shown: Vec<String> = names.by_ref().take(MOST_LISTED).map(quoted).collect();
    let more = names.count();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

/// A name without line breaks and other characters that cannot be seen.
fn one_line(name: &str) -> String {
    let visible = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let name: String = name.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| visible(*c)).collect();
    name.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// How keys of well-known providers begin.
const KEY_STARTS: [&str; 33] = [
    "sk_",
    "pk_",
    "rk_",
    "sk-",
    "xox",
    "xapp-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "pat-na",
    "pat-eu",
    "shpat_",
    "shpca_",
    "shppa_",
    "shpss_",
    "lin_api_",
    "lin_oauth_",
    "ya29.",
    "eyj",
    "akia",
    "asia",
    "sg.",
    "key-",
    "whsec_",
    "bearer ",
    "basic ",
    "-----begin",
    "aiza",
    "ntn_",
];
/// Characters of the longest word of a name.
const LONGEST_WORD: usize = 24;

/// Whether a name looks like a value: an address, a key, an id, a long or mixed run of letters and digits.
fn looks_like_value(name: &str) -> bool {
    let name = name.trim();
    let lower = name.to_ascii_lowercase();
    if name.chars().count() > SHOWN || name.contains('@') || name.contains("://") || name.starts_with(['{', '[']) {
        return true;
    }
    // `key-id` is a name: what follows a short beginning of a key has digits in it.
    let is_key = KEY_STARTS.iter().any(|start| {
        lower.starts_with(start)
            && name.get(start.len()..).is_some_and(|rest| start.len() > 6 || rest.chars().any(|c| c.is_ascii_digit()))
    });
    let digits = name.chars().filter(char::is_ascii_digit).count();
    is_key || digits > 6 || digits > 0 && digits == name.chars().count() || words(name).any(is_mixed)
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// A word that no name has: too long, or with digits between letters. `oauth2`, `Address1`, `2fa` and `OAuth2Token` are names.
fn is_mixed(word: &str) -> bool {
    let plain = word
        .to_ascii_lowercase()
        .replace("oauth2", "oauth")
        .replace("oauth1", "oauth")
        .replace("s3", "s")
        .replace("base64", "base");
    let mut runs = 0;
    let mut was_digit = None;
    for c in plain.chars() {
        let is_digit = c.is_ascii_digit();
        runs += usize::from(was_digit != Some(is_digit));
        was_digit = Some(is_digit);
    }
    word.chars().count() > LONGEST_WORD || runs > 2
}

/// Whether the first record of a table looks like a row and not like the names of its columns. Then none of it is repeated.
pub(super) fn lacks_names(names: &[&str]) -> bool {
    let is_known = |name: &&str| match_name(name, Part::NAMES) != NameMatch::Unknown;
    // What values of these columns are, and no column is called.
    let is_value = |name: &&str| looks_like_value(name) || matches!(fold(name).as_str(), "oauth2" | "keybased");
    !names.iter().any(is_known) && names.iter().any(is_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_shown_and_what_could_be_a_value_is_not() {
        for name in [
            "customer",
            "Kunde Nr.",
            "Access Token",
            "kundennummer",
            "Notizen (intern)",
            "oauth2_token",
            "OAuth2Token",
            "key1",
            "2fa code",
            "S3 bucket",
            "secret_key",
            "key-id",
            "pk",
            "address line 2",
            "Größe",
            "顧客",
            "private_key_id",
            "col 12",
            "year 2024",
            "secret_answer",
        ] {
            assert_eq!(quoted(name), format!("`{name}`"));
        }
        for value in [
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "s3cr3t-v4lue",
            "ada@example.com",
            "12345678",
            "8f14e45fceea167a5a36dedd4bea2543",
            "hunter2x",
            "xoxb-1",
            "ghp_1b",
            "Bearer x",
            "https://acme.example.com",
            "{\"a\":1}",
            "7f9c2ba4-e88f-11ee-8d1c",
            "AKIAIOSFODNN7EXAMPLE",
            "eyJhbGciOiJIUzI1NiJ9",
            "abcdefghijklmnopqrstuvwxyzabcd",
            "-----BEGIN PRIVATE KEY-----",
            "42",
            &"very long title ".repeat(5),
        ] {
            assert_eq!(quoted(value), "`***`", "{value}");
        }
        assert_eq!(quoted("a\nb\u{1b}[31m\u{202e}"), "`a b[31m`");
    }

    #[test]
    fn a_table_without_names_of_columns_is_known() {
        for (names, expected) in [
            (&["customer", "app", "kind", "key"][..], false),
            (&["linked_account_id", "slug", "s3cr3t-v4lue"], false),
            (&["user_1", "hubspot", "keybased", "hunter"], true),
            (&["u", "stripe", "sk_live_4eC39HqLyj"], true),
            (&["ada@example.com", "stripe", "x", "y"], true),
            (&["a", "b"], false),
        ] {
            assert_eq!(lacks_names(names), expected, "{names:?}");
        }
    }

    #[test]
    fn a_path_is_a_word_for_a_shell_that_a_terminal_shows_as_it_is() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        for (path, word) in [
            (&b"rows.csv.failures.csv"[..], "rows.csv.failures.csv"),
            (b"a b/it's.csv", "'a b/it'\\''s.csv'"),
            (b"a\\b.csv", "'a\\b.csv'"),
            ("kunden-äöü.csv".as_bytes(), "'kunden-äöü.csv'"),
            (b"a\x1b[31m\n'.csv", "$'a\\x1b[31m\\x0a\\'.csv'"),
            ("a\u{202e}b.csv".as_bytes(), "$'a\\xe2\\x80\\xaeb.csv'"),
            (b"a\xff.csv", "$'a\\xff.csv'"),
        ] {
            assert_eq!(shell_path(Path::new(OsStr::from_bytes(path))), word);
        }
    }

    #[test]
    fn a_rule_is_an_argument_for_a_shell() {
        for (rule, argument_) in [
            ("customer=slug", "--map customer=slug"),
            ("Customer No.=linked_account_id", "--map 'Customer No.=linked_account_id'"),
            ("it's=slug", "--map 'it'\\''s=slug'"),
            ("a$b=slug", "--map 'a$b=slug'"),
            ("slug:=hubspot", "--map slug:=hubspot"),
        ] {
            assert_eq!(argument(rule), argument_);
        }
        for (column, told) in [
            ("Customer\nNo.", "--map 'Customer No.=slug'"),
            ("Customer:", "--map Customer=slug"),
            ("# customer/id", "--map 'customer id=slug'"),
            ("#", "--map '#=slug'"),
        ] {
            assert_eq!(super::rule(column, "slug"), told);
        }
        assert_eq!(super::rule("sk_live_12345678", "slug"), "--map COLUMN=slug");
    }
}
