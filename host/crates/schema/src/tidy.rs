//! Removes from a value what copying it has added at its ends, before the value is checked.
//!
//! One rule applies to all fields and entry points, and every removal is reported. The rule is idempotent, so a stored value that
//! is exported and imported again does not change.
//!
//! | fields | removed |
//! |---|---|
//! | every field | white space and invisible characters at the ends |
//! | secret fields | quotes of any kind that enclose the whole value, and a comma or semicolon behind them |
//! | secret fields of one line | the name of a header and the word for the scheme before a token: `Authorization: Bearer ` |
//! | secret fields of several lines | what is around PEM, and how its lines are broken |
//!
//! Blanks and quotes inside of a value are part of it.

use zeroize::Zeroizing;

use super::model::FieldKind;
use super::quotes::{is_blank, unquoted};
use keyferry_types::pem;

/// Words before a token, each with a blank behind it, as `Authorization` has them.
const SCHEMES: [&str; 6] = ["Bearer", "Token", "OAuth", "Basic", "SSWS", "ApiKey"];
/// Names of headers that hold a token.
const HEADERS: [&str; 9] = [
    "Proxy-Authorization",
    "Authorization",
    "X-API-Key",
    "X-Auth-Token",
    "Api-Key",
    "DD-API-KEY",
    "DD-APPLICATION-KEY",
    "Private-Token",
    "X-Shopify-Access-Token",
];

/// Words that one value can have before its token: `Authorization`, and the scheme once too often.
const MOST_WORDS: usize = 8;

/// A value after the removal.
pub(super) struct Tidied<'a> {
    /// The text without the removed parts.
    pub(super) text: Text<'a>,
    /// The removed parts, each kind once.
    pub(super) removed: Vec<Removed>,
}

/// A part of the value as sent, or the value in another spelling.
pub(super) enum Text<'a> {
    Part(&'a str),
    Rewritten(Zeroizing<String>),
}

/// A kind of text that was removed from a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    Blanks,
    Quotes,
    Word(&'static str),
    PemSpelling,
}

impl Text<'_> {
    #[cfg(test)]
    fn as_str(&self) -> &str {
        match self {
            Self::Part(text) => text,
            Self::Rewritten(text) => text,
        }
    }
}

impl Removed {
    /// The change, without any part of the value; it continues "`field` was taken".
    fn told(self) -> String {
        match self {
            Self::Blanks => "without the blanks around it".to_owned(),
            Self::Quotes => "without the quotes around it".to_owned(),
            Self::Word(word) => format!("without `{word}` before it"),
            Self::PemSpelling => "as PEM in its usual form".to_owned(),
        }
    }

    /// The warning about a field.
    pub(super) fn warning(field: &str, removed: &[Self]) -> Option<String> {
        let told: Vec<_> = removed.iter().map(|one| one.told()).collect();
        (!told.is_empty()).then(|| format!("`{field}` was taken {}", told.join(", ")))
    }
}

/// A value that is not secret.
pub(super) fn plain(text: &str) -> Tidied<'_> {
    let trimmed = text.trim_matches(is_blank);
    let removed = if trimmed.len() < text.len() { vec![Removed::Blanks] } else { Vec::new() };
    Tidied { text: Text::Part(trimmed), removed }
}

/// A value with the white space and invisible characters at its ends removed, of an app that has no schema.
pub fn without_blanks(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// Removes from a secret value what copying left around it.
pub(super) fn secret(text: &str, kind: FieldKind) -> Tidied<'_> {
    if kind == FieldKind::Multiline
        && let Some(key) = pem::tidy(text)
    {
        let is_as_made = key.as_str() == text;
        let removed = if is_as_made { Vec::new() } else { vec![Removed::PemSpelling] };
        return Tidied { text: if is_as_made { Text::Part(text) } else { Text::Rewritten(key) }, removed };
    }
    let mut removed = Vec::new();
    let mut note = |one| {
        if !removed.contains(&one) {
            removed.push(one);
        }
    };
    let mut left = text;
    loop {
        let before = left.len();
        left = without_escaped_breaks(left.trim_matches(is_blank)).trim_end_matches(is_blank);
        if left.len() < before {
            note(Removed::Blanks);
        }
        if let Some(inner) = unquoted(left) {
            note(Removed::Quotes);
            left = inner;
            continue;
        }
        match without_words(left).filter(|_| kind != FieldKind::Multiline) {
            Some((word, rest)) => {
                note(Removed::Word(word));
                left = rest;
            }
            None => return Tidied { text: Text::Part(left), removed },
        }
    }
}

/// A value without escaped line breaks at its end: `\n` as two characters or more.
fn without_escaped_breaks(text: &str) -> &str {
    let mut left = text;
    while let Some(rest) = left.strip_suffix(['n', 'r']).filter(|rest| rest.ends_with('\\')) {
        left = rest.trim_end_matches('\\');
    }
    left
}

/// Whether a value is only the word for a scheme, with no token behind it.
pub(super) fn is_only_a_scheme(text: &str) -> bool {
    text.strip_suffix(':').unwrap_or(text).trim_end_matches(is_blank).eq_ignore_ascii_case("bearer")
}

/// The words before a token, by the first of them, and the token. Where several words are left it is a sentence: a passphrase
/// that begins like that is whole.
fn without_words(text: &str) -> Option<(&'static str, &str)> {
    let (mut first, mut left) = (None, text);
    for _ in 0..MOST_WORDS {
        let Some((word, rest)) = without_word(left) else { break };
        first.get_or_insert(word);
        left = rest;
    }
    let is_token = !left.is_empty() && !left.contains(is_blank) && without_word(left).is_none();
    first.filter(|_| is_token).map(|word| (word, left))
}

/// A word before a token, and what stands behind it.
fn without_word(text: &str) -> Option<(&'static str, &str)> {
    let after = |word: &'static str| {
        let is_it = text.get(..word.len())?.eq_ignore_ascii_case(word);
        is_it.then(|| text.get(word.len()..))?
    };
    let header = HEADERS.into_iter().find_map(|header| {
        let rest = after(header)?.trim_start_matches(is_blank).strip_prefix([':', '='])?;
        Some((header, rest.trim_start_matches(is_blank)))
    });
    let scheme = || SCHEMES.into_iter().find_map(|scheme| Some((scheme, behind_scheme(scheme, after(scheme)?)?)));
    header.or_else(scheme).filter(|(_, rest)| !rest.is_empty())
}

/// The token behind the word for a scheme, where something parts them.
fn behind_scheme<'a>(scheme: &str, rest: &'a str) -> Option<&'a str> {
    let trimmed = rest.trim_start_matches(is_blank);
    let is_apart = trimmed.len() < rest.len();
    let token = match (rest.strip_prefix("%20"), trimmed.strip_prefix(':')) {
        (Some(token), _) => token,
        // A colon without a blank can be part of a token: only behind the commonest word it is not.
        (None, Some(token)) if is_apart || token.starts_with(is_blank) || scheme == "Bearer" => token,
        (None, None) if is_apart => trimmed,
        _ => return None,
    };
    let token = token.trim_start_matches(is_blank);
    // `token=` is what some call it behind the scheme.
    let is_named = token.get(..6).is_some_and(|name| name.eq_ignore_ascii_case("token="));
    if is_named { token.get(6..) } else { Some(token) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

    fn of(text: &str) -> (String, Vec<Removed>) {
        let tidied = secret(text, FieldKind::Text);
        (tidied.text.as_str().to_owned(), tidied.removed)
    }

    #[test]
    fn what_copying_leaves_around_a_secret_is_removed() {
        for around in [
            "{}",
            " {} ",
            "{}\n",
            "{}\r\n",
            "\t{}",
            "\u{a0}{}\u{a0}",
            "\u{2003}{}",
            "{}\u{3000}",
            "\u{200b}{}",
            "{}\u{200c}",
            "{}\u{200d}",
            "\u{2060}{}",
            "\u{feff}{}",
            "\u{200e}{}\u{200f}",
            "\u{202a}{}\u{202c}",
            "\u{2066}{}\u{2069}",
            "{}\u{2028}",
            "{}\\n",
            "{}\\r\\n",
            "{}\\\\n",
            "\"{}\\n\"",
            "\u{85}{}",
            "\u{ad}{}",
            " \u{feff}\u{200b}\n{}\n \u{a0}",
            "\"{}\"",
            "'{}'",
            "`{}`",
            "\u{201c}{}\u{201d}",
            "\u{201e}{}\u{201c}",
            "\u{2018}{}\u{2019}",
            "\u{201d}{}\u{201d}",
            "\u{201c}{}\"",
            "\u{ab}{}\u{bb}",
            "\"\"\"{}\"\"\"",
            "\"'{}'\"",
            "\" {} \"",
            " \"{}\" ",
            "\\\"{}\\\"",
            "\"{}\",",
            "'{}';",
            "\"{}\" ,",
            "Bearer {}",
            "bearer {}",
            "BEARER {}",
            "Bearer  {}",
            "Bearer\t{}",
            "Bearer\u{a0}{}",
            "Bearer: {}",
            "bearer:{}",
            "Bearer : {}",
            "Bearer%20{}",
            "Bearer Bearer {}",
            "Token {}",
            "token {}",
            "Token: {}",
            "Token token={}",
            "OAuth {}",
            "Basic {}",
            "SSWS {}",
            "Authorization: Bearer {}",
            "authorization:bearer {}",
            "Authorization: {}",
            "Authorization=Bearer {}",
            "Authorization : Token {}",
            "X-API-Key: {}",
            "DD-API-KEY: {}",
            "dd-application-key:{}",
            "X-Shopify-Access-Token: {}",
            "'x-shopify-access-token: {}'",
            "PRIVATE-TOKEN: {}",
            "\"Bearer {}\"",
            "Bearer \"{}\"",
            "\u{201c}Authorization: Bearer {}\u{201d}",
            "'Authorization: Bearer {}'",
        ] {
            let text = around.replace("{}", TOKEN);
            let (left, removed) = of(&text);
            assert_eq!(left, TOKEN, "{text:?}");
            assert_eq!(removed.is_empty(), around == "{}", "{text:?}");
            let warning = Removed::warning("api_key", &removed).unwrap_or_default();
            assert!(!warning.contains(TOKEN), "{warning}");
            assert_eq!(warning.is_empty(), around == "{}", "{text:?}");
        }
    }

    #[test]
    fn what_is_part_of_a_secret_stays() {
        for text in [
            "pass word",
            "correct horse battery staple",
            "bearer of bad news",
            "Token of my love",
            "\"half",
            "half\"",
            "it's",
            "'a' or 'b'",
            "\"a\" \"b\"",
            "a\"b",
            "\"a\"b\"",
            "bearerToken123",
            "Bearer_abc",
            "tokenabc",
            "token:abc",
            "basic:abc",
            "oauth:xyz",
            "user:pass",
            "a,b,",
            "key;",
            "=abc==",
            "-----BEGIN X-----",
            "пароль",
            "\u{1F511}",
        ] {
            assert_eq!(of(text), (text.to_owned(), Vec::new()), "{text:?}");
        }
    }

    #[test]
    fn once_is_enough() {
        for text in [
            "\" Bearer 'x' \"",
            "Bearer Token OAuth x",
            "\"\"",
            "''",
            "\" \"",
            "Bearer ",
            "\"Bearer\"",
            "\"a\",",
            "'\"a'\"",
        ] {
            let once = of(text).0;
            assert_eq!(of(&once), (once.clone(), Vec::new()), "{text:?}");
        }
        assert_eq!(of("\"\"").0, "");
        assert!(is_only_a_scheme(&of("Bearer ").0));
    }

    #[test]
    fn several_lines_keep_their_words_and_pem_is_written_as_it_was_made() {
        let of = |text: &str| secret(text, FieldKind::Multiline).text.as_str().to_owned();
        assert_eq!(of("Bearer x\ny\n"), "Bearer x\ny");
        assert_eq!(of("\"-----BEGIN A-----\\nMAA=\\n-----END A-----\""), "-----BEGIN A-----\nMAA=\n-----END A-----");
    }

    #[test]
    fn a_plain_value_loses_the_blanks_around_it_alone() {
        for (text, left) in
            [(" acme ", "acme"), ("\u{feff}acme\u{200b}\n", "acme"), ("\"acme\"", "\"acme\""), ("a b", "a b")]
        {
            assert_eq!(plain(text).text.as_str(), left);
        }
    }

    #[test]
    fn hostile_text_costs_no_more_than_its_length() {
        let began = std::time::Instant::now();
        for text in ["\"", "'\"", " ", "Bearer ", "Bearer:", "\\\"", "Authorization:", "\" '"] {
            let text = text.repeat(64 * 1024 / text.len());
            let _ = secret(&text, FieldKind::Text);
            let _ = secret(&format!("{text}x{text}"), FieldKind::Text);
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
