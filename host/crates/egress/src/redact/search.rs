//! Searches a text for secrets: as it is, with its escapes undone layer by layer, and in its decoded base64.

use std::ops::Range;

use memchr::memmem;

use super::decode::{MOST_DECODES, decode, joined};
use super::escape::{QuotedPrintable, may_be_quoted_printable};
use super::index::Index;
use super::needles::{Needle, Needles};
use super::normalize::{self, normalize};
use super::{base64_runs, byte_lists, hex_pairs};

/// Layers of base64 in base64 that are decoded.
const MOST_BASE64_LAYERS: u8 = 3;
/// Bound of all readings of a text together: this multiple of its length, plus `MOST_BYTES`.
const MOST_GROWTH: usize = 24;
const MOST_BYTES: usize = 64 * 1024;

/// Reports the ranges of secrets in a text, in any order.
pub(super) fn search(needles: &Needles, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
    let look = &mut |text: &[u8], report: &mut dyn FnMut(Range<usize>)| look(needles, text, report);
    read_all(text, needles.shortest(), look, found);
}

/// Looks at one reading of a text, and reports ranges of it.
type Look<'l> = dyn FnMut(&[u8], &mut dyn FnMut(Range<usize>)) + 'l;

/// Makes every reading of a text that has `shortest` bytes, and shows each to `look`. What that reports is translated to ranges of
/// the text itself.
pub(super) fn read_all(text: &[u8], shortest: usize, look: &mut Look<'_>, found: &mut dyn FnMut(Range<usize>)) {
    let budget = text.len().saturating_mul(MOST_GROWTH).saturating_add(MOST_BYTES);
    Reader { look, budget, shortest }.read(text, Depth::new(MOST_BASE64_LAYERS), found);
}

struct Reader<'r, 'l> {
    look: &'r mut Look<'l>,
    budget: usize,
    /// No reading becomes longer by decoding, so one of fewer bytes leads to nothing.
    shortest: usize,
}

/// The layers that may still be decoded.
#[derive(Clone, Copy)]
struct Depth {
    decodes: usize,
    base64_layers: u8,
    mail: Mail,
    lines: Lines,
}

impl Depth {
    fn new(base64_layers: u8) -> Self {
        Self { decodes: MOST_DECODES, base64_layers, mail: Mail::Unseen, lines: Lines::Kept }
    }
}

/// Whether a text is read in one line, since its line breaks part escapes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// No line break parts an escape.
    Kept,
    /// The text is read in one line, here or in another reading.
    Joined,
}

/// Whether a text is read as quoted-printable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mail {
    /// Nothing in it looked like it.
    Unseen,
    /// Another reading decodes it, and this one does not.
    No,
    Yes,
}

impl Reader<'_, '_> {
    fn read(&mut self, text: &[u8], mut depth: Depth, found: &mut dyn FnMut(Range<usize>)) {
        if text.len() < self.shortest {
            return;
        }
        let Some(budget) = self.budget.checked_sub(text.len()) else { return };
        self.budget = budget;
        (self.look)(text, found);
        if depth.lines == Lines::Kept
            && let Some(derived) = joined(text)
        {
            depth.lines = Lines::Joined;
            self.read(&derived.text, depth, &mut |range| found(derived.offsets.source(&range)));
        }
        let deeper = Depth { decodes: depth.decodes.saturating_sub(1), ..depth };
        if depth.mail == Mail::Unseen && depth.decodes > 0 && may_be_quoted_printable(text) {
            depth.mail = Mail::No;
            if let Some(derived) = decode(text, QuotedPrintable::Decoded) {
                let deeper = Depth { mail: Mail::Yes, ..deeper };
                self.read(&derived.text, deeper, &mut |range| found(derived.offsets.source(&range)));
            }
        }
        let quoted = match depth.mail {
            Mail::Yes => QuotedPrintable::Decoded,
            Mail::No | Mail::Unseen => QuotedPrintable::Kept,
        };
        if depth.decodes > 0
            && let Some(derived) = decode(text, quoted)
        {
            let deeper = Depth { mail: depth.mail, ..deeper };
            return self.read(&derived.text, deeper, &mut |range| found(derived.offsets.source(&range)));
        }
        // Undoing escapes leaves base64 as it is but joins what was parted: only the last reading is looked at for it.
        let Some(base64_layers) = depth.base64_layers.checked_sub(1) else { return };
        let inside = Depth::new(base64_layers);
        if let Some(derived) = base64_runs::decode(text, self.shortest) {
            self.read(&derived.text, inside, &mut |range| {
                let range = derived.offsets.source(&range);
                found(range.start..range.end + padding(text, range.end, 2));
            });
        }
        for derived in
            [hex_pairs::decode(text, self.shortest), byte_lists::decode(text, self.shortest)].into_iter().flatten()
        {
            self.read(&derived.text, inside, &mut |range| found(derived.offsets.source(&range)));
        }
    }
}

/// Reports the ranges of secrets in one reading.
fn look(needles: &Needles, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
    let possible = |index: &Index, text: &[u8]| match index.is_empty() {
        true => Vec::new(),
        false => needles.possible_in(index, text),
    };
    for needle in possible(&needles.exact, text) {
        for range in occurrences(text, &needle.bytes) {
            found(extended(text, range, &needle));
        }
    }
    if !needles.normalized.may_begin_in_normalized(text) {
        return;
    }
    let normalized = normalize(text);
    let mut offsets = None;
    for needle in possible(&needles.normalized, &normalized) {
        for range in occurrences(&normalized, &needle.bytes) {
            let source = offsets.get_or_insert_with(|| normalize::offsets(text)).source(&range);
            if needle.quotes || !text.get(source.clone()).is_some_and(|source| source.contains(&b'"')) {
                found(extended(text, source, &needle));
            }
        }
    }
}

/// A range extended by the parts of the secret before and after the needle, if the text has them.
fn extended(text: &[u8], mut range: Range<usize>, needle: &Needle) -> Range<usize> {
    let before = text.get(..range.start).unwrap_or_default().iter().rev();
    range.start -= before.zip(needle.head.iter().rev()).take_while(|(text, head)| text == head).count();
    let after = text.get(range.end..).unwrap_or_default();
    range.end += after.iter().zip(needle.tail.iter()).take_while(|(text, tail)| text == tail).count();
    range.end += padding(text, range.end, needle.padding);
    // The other half of the last unit of UTF-16, or of the first.
    if text.get(range.start + 1) == Some(&0) && text.get(range.end) == Some(&0) {
        range.end += 1;
    } else if let (Some(before), Some(last)) = (range.start.checked_sub(1), range.end.checked_sub(2))
        && (text.get(before), text.get(last)) == (Some(&0), Some(&0))
    {
        range.start = before;
    }
    range
}

/// Number of `=` from `at` on, at most `most`.
fn padding(text: &[u8], at: usize, most: usize) -> usize {
    text.get(at..).unwrap_or_default().iter().take(most).take_while(|byte| **byte == b'=').count()
}

/// The ranges of a needle, overlapping ones united, in time that is linear in the text's length: a search that restarts at each
/// occurrence of a needle that repeats itself would not be.
fn occurrences(text: &[u8], needle: &[u8]) -> Vec<Range<usize>> {
    let mut united: Vec<Range<usize>> = Vec::new();
    let Some(first) = memmem::find(text, needle) else { return united };
    // The failure function of Knuth, Morris and Pratt.
    let mut again = vec![0_usize; needle.len()];
    let at = |index: usize| needle.get(index).copied();
    let longer = |mut matched: usize, byte: Option<u8>, again: &[usize]| {
        while matched > 0 && at(matched) != byte {
            matched = again.get(matched - 1).copied().unwrap_or_default();
        }
        if at(matched) == byte { matched + 1 } else { 0 }
    };
    let mut matched = 0;
    for index in 1..needle.len() {
        matched = longer(matched, at(index), &again);
        if let Some(slot) = again.get_mut(index) {
            *slot = matched;
        }
    }
    matched = 0;
    for (index, byte) in text.iter().enumerate().skip(first) {
        matched = longer(matched, Some(*byte), &again);
        if matched == needle.len() {
            let range = index + 1 - needle.len()..index + 1;
            match united.last_mut() {
                Some(last) if range.start <= last.end => last.end = range.end,
                _ => united.push(range),
            }
        }
    }
    united
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_occurrences_are_found(text in "[ab]{0,40}", needle in "[ab]{1,5}") {
            let mut covered = vec![false; text.len()];
            for at in 0..text.len() {
                if text[at..].starts_with(&needle) {
                    covered[at..at + needle.len()].fill(true);
                }
            }
            let mut found = vec![false; text.len()];
            for range in occurrences(text.as_bytes(), needle.as_bytes()) {
                found[range].fill(true);
            }
            prop_assert_eq!(found, covered);
        }
    }
}
