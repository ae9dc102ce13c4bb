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
//! | `armour` | undoes base64 |
//! | `numbers` | reads lists of bytes as numbers |
//! | `squeeze` | leaves out what does not count |
//! | `offsets` | translates back |
//! | `encoding` | forms that have to be searched for as such: base64 inside of base64, hexadecimal, reversed |
//! | `needles` | what is searched for, and what of it a text can hold at all |
//! | `search` | all readings of a text, and the search in them |
//!
//! Case and blanks count for words and for short values, because responses would otherwise lose words that are no
//! secrets: the limits are in `needles`.

mod armour;
mod decode;
mod encoding;
mod entities;
mod escape;
mod needles;
mod numbers;
mod offsets;
mod search;
mod squeeze;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;
use needles::Needles;

/// Replaces a secret.
pub(super) const MASK: &str = "***";

/// Layers of escapes that are undone, such as a URL in JSON in JSON.
const MOST_DECODES: usize = 5;

/// How many bytes an encoding makes of one: `\u00e9` in JSON in JSON, with line breaks.
const LONGEST_ENCODING: usize = 8;

/// What is searched in any case beyond what is shown.
const MARGIN: usize = 4096;

/// The known secrets of one call, prepared for searching.
#[derive(Default)]
pub(super) struct Redactor {
    needles: Needles,
    /// Bytes of the longest value.
    longest: usize,
}

impl Redactor {
    /// Makes a value known.
    pub(super) fn add(&mut self, value: &str) {
        self.longest = self.longest.max(value.len());
        self.needles.add(value);
        // What a header carries loses the spaces around it.
        if value.trim() != value {
            self.needles.add(value.trim());
        }
    }

    /// The text with every secret in it replaced.
    pub(super) fn redact<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let places = self.places(text);
        if places.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut clean = Vec::with_capacity(text.len());
        let mut end = 0;
        for place in places {
            clean.extend_from_slice(text.get(end..place.start).unwrap_or_default());
            clean.extend_from_slice(MASK.as_bytes());
            end = place.end;
        }
        clean.extend_from_slice(text.get(end..).unwrap_or_default());
        Cow::Owned(clean)
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

    /// Where secrets are, in order, united where they overlap or touch.
    pub(super) fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = Vec::new();
        if text.is_empty() || self.needles.is_empty() {
            return places;
        }
        for value in self.needles.whole_strings() {
            let found = memmem::find_iter(text, value).map(|at| at..at + value.len());
            places.extend(found.filter(|place| is_whole_string(text, place)));
        }
        search::search(&self.needles, text, &mut |place| places.push(place));
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

/// Shows a text in all the ways in which the search for secrets reads it: as it is, with its escapes undone, and what its base64
/// says; each also in lower case without blanks, line breaks, quotes and backslashes.
pub fn each_reading(text: &[u8], mut visitor: impl FnMut(&[u8])) {
    let look = &mut |reading: &[u8], _: &mut dyn FnMut(Range<usize>)| {
        visitor(reading);
        visitor(&squeeze::squeeze(reading));
    };
    search::read_all(text, look, &mut |_| {});
}

fn is_whole_string(text: &[u8], place: &Range<usize>) -> bool {
    let before = place.start.checked_sub(1).and_then(|at| text.get(at));
    match (before, text.get(place.end)) {
        (None, None) => true,
        (Some(before), Some(after)) => before == after && matches!(before, b'"' | b'\''),
        _ => false,
    }
}
