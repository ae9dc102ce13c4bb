//! Which word of a text names a secret.

use super::words::{
    ASKING, CONTENTS, DETERMINERS, HARMLESS, LOCATORS, NEUTRAL, OTHERS, PHRASES, PIECES, PUBLIC, SECRETS, SIGNED, STOPS,
};
use keyferry_types::invisible::is_invisible;

/// The word by which a text names a secret.
pub(super) fn secret_word(text: &str) -> Option<String> {
    compounds(text).iter().find_map(|compound| secret_in(compound))
}

/// The word for the secret that a help text asks for: `Your API key`, `Paste the token here`, but not `Shown next to the API key` or
/// `In the key file`.
pub(super) fn asked_for(text: &str) -> Option<String> {
    let first = text.split_whitespace().next().unwrap_or_default().to_lowercase();
    if STOPS.contains(&first.as_str()) && !DETERMINERS.contains(&first.as_str()) {
        return None;
    }
    let compounds = compounds(text);
    let asked = compounds.iter().find(|compound| !compound.iter().all(|word| ASKING.contains(&word.as_str())))?;
    let begin = asked.iter().take_while(|word| ASKING.contains(&word.as_str())).count();
    secret_in(asked.get(begin..).unwrap_or_default())
}

/// Whether a name says that it is an identifier, an address or something else that is known to others.
pub(super) fn is_harmless(text: &str) -> bool {
    let compounds = compounds(text);
    compounds.last().is_some_and(|compound| head(compound).is_some_and(|head| HARMLESS.contains(&head)))
}

/// The word that says what a compound is.
fn head(compound: &[String]) -> Option<&str> {
    compound.iter().rev().map(String::as_str).find(|word| !NEUTRAL.contains(word))
}

fn secret_in(compound: &[String]) -> Option<String> {
    let has =
        |phrase: &[&str]| compound.windows(phrase.len()).any(|words| words.iter().zip(phrase).all(|(a, b)| a == b));
    if let Some(phrase) = PHRASES.iter().find(|phrase| has(phrase)) {
        return Some(phrase.join(" "));
    }
    let word = compound.iter().find(|word| is_secret_word(word))?;
    let head = head(compound)?;
    let is_locator = LOCATORS.contains(&head) && compound.iter().any(|word| SIGNED.contains(&word.as_str()));
    let is_public = compound.iter().any(|word| PUBLIC.contains(&word.as_str()))
        && !compound.iter().any(|word| matches!(word.as_str(), "private" | "secret"));
    if !is_locator && (is_public || HARMLESS.contains(&head)) {
        return None;
    }
    Some(word.clone())
}

fn is_secret_word(word: &str) -> bool {
    if OTHERS.contains(&word) {
        return false;
    }
    SECRETS.contains(&word)
        || PIECES.iter().any(|piece| word.contains(piece))
        // `apikey`, `accesstoken`, `API-Schlüssel`.
        || ["key", "token", "pass", "pwd", "schlüssel"].iter().any(|ending| word.ends_with(ending))
}

/// The words of a text in lower case, parted where a compound ends: at other marks than `_`, `-`, `.` and white space, and at
/// words such as `of`.
fn compounds(text: &str) -> Vec<Vec<String>> {
    let mut compounds: Vec<Vec<String>> = vec![Vec::new()];
    let mut word = String::new();
    let chars: Vec<char> =
        text.chars().filter(|c| c.is_whitespace() || c.is_control() || !is_invisible(*c)).map(plain).collect();
    for (index, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            take(&mut word, &mut compounds);
            // A mark in the middle of a text parts what it stands between.
            if !(matches!(c, '_' | '-' | '.' | '\'' | '’') || c.is_whitespace()) {
                compounds.push(Vec::new());
            }
            continue;
        }
        let before = index.checked_sub(1).and_then(|at| chars.get(at)).copied().unwrap_or(' ');
        let after = chars.get(index + 1).copied().unwrap_or(' ');
        let begins = (c.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && after.is_lowercase())))
            || c.is_numeric() != before.is_numeric();
        // `APIKeys` is API and Keys, `PINs` is PIN with an ending.
        let ends_plural = after == 's' && chars.get(index + 2).is_none_or(|next| !next.is_alphanumeric());
        if begins && !(before.is_uppercase() && c.is_uppercase() && ends_plural) {
            take(&mut word, &mut compounds);
        }
        word.extend(c.to_lowercase());
    }
    take(&mut word, &mut compounds);
    compounds.retain(|compound| !compound.is_empty());
    compounds
}

/// Ends a word: puts it, in the singular and without digits, where it belongs.
fn take(word: &mut String, compounds: &mut Vec<Vec<String>>) {
    let taken = plain_word(std::mem::take(word));
    if taken.is_empty() || taken.chars().all(char::is_numeric) {
        return;
    }
    if STOPS.contains(&taken.as_str()) {
        compounds.push(Vec::new());
        return;
    }
    let singular = match taken.strip_suffix('s') {
        Some(one) if one.chars().count() > 2 && !one.ends_with(['s', 'u']) && taken != "alias" => one,
        _ => taken.as_str(),
    };
    let Some(compound) = compounds.last_mut() else { return };
    // `accesskeyid` is an id too, and `tokenvalue` a token.
    let glued = HARMLESS.into_iter().chain(NEUTRAL).chain(CONTENTS).find_map(|end| {
        let rest = singular.strip_suffix(end).filter(|rest| is_secret_word(rest))?;
        Some([rest.to_owned(), end.to_owned()])
    });
    match glued {
        Some(parts) => compound.extend(parts),
        None => compound.push(singular.to_owned()),
    }
}

/// Full-width, mathematical and circled forms as the letters that they are.
fn plain(c: char) -> char {
    let code = u32::from(c);
    let letter = |at: u32, first: char| char::from_u32(u32::from(first) + at).unwrap_or(c);
    match code {
        0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(c),
        0x24B6..=0x24CF => letter(code - 0x24B6, 'A'),
        0x24D0..=0x24E9 => letter(code - 0x24D0, 'a'),
        // Thirteen alphabets of 26 capital and 26 small letters each.
        0x1D400..=0x1D6A3 => match (code - 0x1D400) % 52 {
            capital @ 0..26 => letter(capital, 'A'),
            small => letter(small - 26, 'a'),
        },
        _ => c,
    }
}

/// A word in Latin letters with Cyrillic or Greek ones among them, which look alike, in Latin letters.
fn plain_word(word: String) -> String {
    if word.is_ascii() || !word.contains(|c: char| c.is_ascii_alphabetic()) {
        return word;
    }
    let latin = |c| match c {
        'а' | 'α' => 'a',
        'е' | 'ε' => 'e',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'у' | 'γ' | 'υ' => 'y',
        'к' | 'κ' => 'k',
        'т' | 'τ' => 't',
        'і' | 'ι' => 'i',
        'ѕ' => 's',
        'ԁ' => 'd',
        'ѡ' | 'ω' => 'w',
        _ => c,
    };
    word.chars().map(latin).collect()
}
