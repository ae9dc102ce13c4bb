//! Redaction of secrets in a server's response, in every form in which the response repeats them.
//!
//! The forms of common libraries are not listed one by one. A text is read with its escapes undone, those of all
//! languages alike and one layer after the other, and each reading ignores case, blanks, line breaks, quotes and
//! backslashes. A match in a reading is translated back to the bytes of the text that it came from, and exactly these
//! are replaced.
//!
//! | file | what it does |
//! |---|---|
//! | `escape`, `entities` | reads one escape: JSON and programming languages, URLs, HTML, quoted-printable, UTF-16, shells |
//! | `decode` | undoes all escapes of a text, one layer |
//! | `base64_runs`, `hex_pairs`, `byte_lists` | decode base64, hexadecimal pairs and lists of byte values inside a text |
//! | `normalize` | removes case, blanks, line breaks, quotes and backslashes |
//! | `offsets` | translates a range of a decoded text back to the source |
//! | `encoding` | writes a secret in forms that undoing escapes does not find: inside longer base64, hexadecimal, reversed |
//! | `index` | knows how the forms of the secrets begin, and passes over a text that has none of the beginnings |
//! | `needles` | selects the forms of the secrets that a text can contain |
//! | `search` | makes all readings of a text, and searches them |
//!
//! Case and blanks count for words and for short values, because responses would otherwise lose words that are no
//! secrets: the limits are in `needles`.

mod base64_runs;
mod byte_lists;
mod decode;
mod encoding;
mod entities;
mod escape;
mod hex_pairs;
mod index;
mod needles;
mod normalize;
mod offsets;
mod search;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use keyferry_types::secret::{Secret, SharedSecret};
use memchr::memmem;
use needles::Needles;

/// The text that replaces a secret.
pub(super) const MASK: &str = "***";

/// Most bytes that an encoding makes of one: `\u00e9` in JSON in JSON, with line breaks.
const LONGEST_ENCODING: usize = 8;

/// Bytes that are searched beyond the shown beginning, whatever the longest secret.
const MARGIN: usize = 4096;

/// The known secrets of one call, prepared for searching.
#[derive(Default)]
pub(super) struct Redactor {
    needles: Needles,
    /// Bytes of the longest value.
    longest: usize,
}

impl Redactor {
    /// Adds a value to those that are searched for.
    pub(super) fn add(&mut self, secret: &SharedSecret) {
        let value = secret.expose();
        self.longest = self.longest.max(value.len());
        // What a header carries loses the spaces around it.
        if value.trim() != value {
            self.needles.add(Arc::new(Secret::new(value.trim())));
        }
        self.needles.add(Arc::clone(secret));
    }

    /// The text with every secret in it replaced.
    pub(super) fn redact<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let places = self.places(text);
        if places.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(mask(text, &places)) }
    }

    /// As [`redact`](Self::redact), for text. Needles are whole characters, so the rest stays text.
    pub(super) fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.redact(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The beginning of a text, of about this many bytes, with every secret in it replaced. What it costs depends on that and on the
    /// longest secret, not on the length of the text: a plugin may log megabytes of which a line is kept.
    pub(super) fn redact_beginning(&self, text: &str, bytes: usize) -> String {
        let shown = text.get(..text.floor_char_boundary(bytes)).unwrap_or(text);
        // A secret that begins in what is shown ends in what is searched.
        let searched = bytes.saturating_add(MARGIN).saturating_add(self.longest.saturating_mul(LONGEST_ENCODING));
        let searched = text.get(..text.floor_char_boundary(searched)).unwrap_or(text);
        if searched.len() == text.len() {
            return self.redact_text(text).into_owned();
        }
        let mut clean = String::with_capacity(shown.len());
        let mut end = 0;
        for place in self.places(searched.as_bytes()).into_iter().take_while(|place| place.start < shown.len()) {
            clean.push_str(text.get(end..place.start).unwrap_or_default());
            clean.push_str(MASK);
            end = place.end;
        }
        clean.push_str(shown.get(end..).unwrap_or_default());
        clean
    }

    /// The ranges of secrets, in order; ranges that overlap or touch are united.
    pub(super) fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = Vec::new();
        if text.is_empty() || self.needles.is_empty() {
            return places;
        }
        for value in self.needles.whole_strings() {
            let found = memmem::find_iter(text, value).map(|at| at..at + value.len());
            places.extend(found.filter(|place| is_whole_string(text, place)));
        }
        if text.len() >= self.needles.shortest() {
            search::search(&self.needles, text, &mut |place| places.push(place));
        }
        places.sort_unstable_by_key(|place| (place.start, place.end));
        let mut united: Vec<Range<usize>> = Vec::with_capacity(places.len());
        for place in places {
            match united.last_mut() {
                Some(last) if place.start <= last.end => last.end = last.end.max(place.end),
                _ => united.push(place),
            }
        }
        united
    }
}

/// The text with [`MASK`] in these places.
pub(super) fn mask(text: &[u8], places: &[Range<usize>]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(text.len());
    let mut end = 0;
    for place in places {
        clean.extend_from_slice(text.get(end..place.start).unwrap_or_default());
        clean.extend_from_slice(MASK.as_bytes());
        end = place.end;
    }
    clean.extend_from_slice(text.get(end..).unwrap_or_default());
    clean
}

/// Calls `visitor` with every reading of a text that the search for secrets makes: as it is, with its escapes undone, and its
/// decoded base64; each also normalized.
pub fn each_reading(text: &[u8], mut visitor: impl FnMut(&[u8])) {
    let look = &mut |reading: &[u8], _: &mut dyn FnMut(Range<usize>)| {
        visitor(reading);
        visitor(&normalize::normalize(reading));
    };
    search::read_all(text, 0, look, &mut |_| {});
}

fn is_whole_string(text: &[u8], place: &Range<usize>) -> bool {
    let before = place.start.checked_sub(1).and_then(|at| text.get(at));
    match (before, text.get(place.end)) {
        (None, None) => true,
        (Some(before), Some(after)) => before == after && matches!(before, b'"' | b'\''),
        _ => false,
    }
}
