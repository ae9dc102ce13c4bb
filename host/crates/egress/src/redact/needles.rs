//! Many ways to write secrets and one text: which of them can be in it at all.
//!
//! A secret has some ten forms, and hardly any text holds one of them. To write them all, and to prepare a search for each,
//! costs far more than to walk over a text once and look at how they would begin; only those that are left are written and searched
//! for. A copy of a secret in each form is not kept, either.

use memchr::memmem;
use zeroize::Zeroizing;

use super::encoding::{BEGINNING, Encoding};
use super::escape::QuotedPrintable;
use super::squeeze::{is_dropped, squeeze};
use super::{MOST_DECODES, decode::decode};

/// A value shorter than this is replaced only where it is the whole of a quoted string or of the text. Replaced anywhere,
/// a value such as `1` or `no` would tear every answer apart, and protect nothing: so short a value can be guessed.
const SHORTEST_ANYWHERE: usize = 4;
/// Case, blanks and quotes do not count for a value of which at least this much is left without them ...
const SHORTEST_SQUEEZED: usize = 8;
/// ... and which has something in it that is no letter, or at least this much. A word such as `sandbox` or `password` is thus
/// replaced as it is written and in lower case alone.
const LONGEST_WORD: usize = 15;
/// Bits of the filter: enough that a few hundred beginnings leave most of them unset.
const FILTER_BITS: u32 = 12;
/// Least length of the base64 between the lines of a PEM block that is a needle of its own.
const SHORTEST_PEM_BODY: usize = 32;

/// What is searched for.
pub(super) struct Needle {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// What comes before and after it in the secret and does not count.
    pub(super) head: Zeroizing<Vec<u8>>,
    pub(super) tail: Zeroizing<Vec<u8>>,
    /// The most `=` that may come after it.
    pub(super) padding: usize,
    /// Whether double quotes may be in it. Where the secret has none, nothing puts one there, and one that is there parts two strings
    /// of a JSON document.
    pub(super) quotes: bool,
}

/// All that is searched for.
#[derive(Default)]
pub(super) struct Needles {
    secrets: Vec<Known>,
    /// Those that are searched for as they are.
    pub(super) exact: Index,
    /// Those that are searched for in what is left of a text that was squeezed.
    pub(super) squeezed: Index,
}

struct Known {
    value: Zeroizing<String>,
    /// The value, and what undoing its own escapes makes of it.
    forms: Vec<Zeroizing<Vec<u8>>>,
    way: Way,
}

/// How a value is matched in a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    WholeString,
    Exact,
    Squeezed,
}

#[derive(Clone, Copy)]
enum Spelling {
    Form(usize),
    Encoded(Encoding),
}

impl Needles {
    /// Adds a value in every spelling, unless it is empty or there.
    pub(super) fn add(&mut self, value: &str) {
        if value.is_empty() || self.secrets.iter().any(|known| *known.value == *value) {
            return;
        }
        let way = way_of(value);
        let known = Known { value: Zeroizing::new(value.to_owned()), forms: forms(value, way), way };
        let index = match way {
            Way::WholeString => return self.secrets.push(known),
            Way::Exact => &mut self.exact,
            Way::Squeezed => &mut self.squeezed,
        };
        let secret = self.secrets.len();
        for (at, form) in known.forms.iter().enumerate() {
            index.add(&written(form, way), secret, Spelling::Form(at));
        }
        for encoding in Encoding::ALL {
            let beginning = encoding.beginning_of(value).map(|beginning| written(beginning.as_bytes(), way));
            // What does not count may be all of a beginning.
            let whole = || encoding.of(value).map(|whole| written(whole.as_bytes(), way));
            let beginning = beginning.filter(|beginning| beginning.len() >= BEGINNING).or_else(whole);
            if let Some(beginning) = beginning {
                index.add(&beginning, secret, Spelling::Encoded(encoding));
            }
        }
        index.sort();
        self.secrets.push(known);
    }

    /// Values that count only where they are the whole of a quoted string or of the text.
    pub(super) fn whole_strings(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().filter(|known| known.way == Way::WholeString).map(|known| known.value.as_str())
    }

    /// Whether there is anything to be searched for.
    pub(super) fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Those of an index that a text can hold: all that it does, and seldom another.
    pub(super) fn possible_in(&self, index: &Index, text: &[u8]) -> Vec<Needle> {
        let mut possible: Vec<Needle> = Vec::new();
        for beginning in index.begun_in(text) {
            if let Some(needle) = self.needle(beginning.secret, beginning.spelling)
                && needle.bytes.len() <= text.len()
                && !possible.iter().any(|known| *known.bytes == *needle.bytes && known.padding >= needle.padding)
            {
                possible.push(needle);
            }
        }
        possible
    }

    fn needle(&self, secret: usize, spelling: Spelling) -> Option<Needle> {
        let known = self.secrets.get(secret)?;
        match spelling {
            Spelling::Form(at) => {
                let form = known.forms.get(at)?;
                let (head, tail) = match known.way {
                    Way::Squeezed => dropped(form),
                    _ => (&[][..], &[][..]),
                };
                Some(Needle {
                    bytes: written(form, known.way),
                    head: Zeroizing::new(head.to_vec()),
                    tail: Zeroizing::new(tail.to_vec()),
                    padding: 0,
                    quotes: form.contains(&b'"'),
                })
            }
            Spelling::Encoded(encoding) => Some(Needle {
                bytes: written(encoding.of(&known.value)?.as_bytes(), known.way),
                head: Zeroizing::default(),
                tail: Zeroizing::default(),
                padding: encoding.padding(&known.value),
                quotes: encoding == Encoding::Reversed && known.value.contains('"'),
            }),
        }
    }
}

fn way_of(value: &str) -> Way {
    if value.len() < SHORTEST_ANYWHERE {
        return Way::WholeString;
    }
    let left = squeeze(value.as_bytes());
    let letters = String::from_utf8_lossy(&left).chars().all(char::is_alphabetic);
    if left.len() < SHORTEST_SQUEEZED || (letters && left.len() <= LONGEST_WORD) { Way::Exact } else { Way::Squeezed }
}

/// Bytes as they are searched for.
fn written(bytes: &[u8], way: Way) -> Zeroizing<Vec<u8>> {
    match way {
        Way::Squeezed => squeeze(bytes),
        Way::Exact | Way::WholeString => Zeroizing::new(bytes.to_vec()),
    }
}

/// A value, and what it becomes where its own escapes are undone with those of the text, or where form encoding writes its
/// spaces as `+`.
fn forms(value: &str, way: Way) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = Forms { way, list: Vec::new() };
    forms.add(value.as_bytes());
    if way == Way::Exact {
        // A server that takes a value for a header's name says it in lower case.
        forms.add(Zeroizing::new(value.to_ascii_lowercase()).as_bytes());
    }
    for quoted in [QuotedPrintable::Kept, QuotedPrintable::Decoded] {
        let mut text = Zeroizing::new(value.as_bytes().to_vec());
        for _ in 0..MOST_DECODES {
            let Some(derived) = decode(&text, quoted) else { break };
            text = derived.text;
        }
        forms.add(&text);
    }
    for at in 0..forms.list.len() {
        let Some(form) = forms.list.get(at).filter(|form| form.trim_ascii().contains(&b' ')).cloned() else { continue };
        let plus: Zeroizing<Vec<u8>> =
            Zeroizing::new(form.iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }).collect());
        forms.add(&plus);
    }
    if way == Way::Squeezed {
        let bodies: Vec<_> = forms.list.iter().flat_map(|form| pem_bodies(form)).collect();
        bodies.iter().for_each(|body| forms.add(body));
    }
    if way == Way::Squeezed && value.chars().any(|c| u32::from(c) > 0xFF) {
        // Where both bytes of a unit count, leaving out the zeros does not do.
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let mut wide = Zeroizing::new(Vec::with_capacity(2 * value.len()));
            value.encode_utf16().for_each(|unit| wide.extend_from_slice(&order(unit)));
            forms.add(&wide);
        }
    }
    forms.list
}

struct Forms {
    way: Way,
    list: Vec<Zeroizing<Vec<u8>>>,
}

impl Forms {
    /// Adds a form, unless it is there, or what is left of it is found everywhere.
    fn add(&mut self, form: &[u8]) {
        let (bytes, shortest) = match self.way {
            Way::Squeezed => (squeeze(form), SHORTEST_SQUEEZED),
            Way::Exact | Way::WholeString => (Zeroizing::new(form.to_vec()), SHORTEST_ANYWHERE),
        };
        let is_known = |known: &Zeroizing<Vec<u8>>| **known == *form || *written(known, self.way) == *bytes;
        if self.list.is_empty() || (bytes.len() >= shortest && !self.list.iter().any(is_known)) {
            self.list.push(Zeroizing::new(form.to_vec()));
        }
    }
}

/// What stands between the lines that begin and end PEM blocks: echoed without them, it is the key all the same.
fn pem_bodies(text: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut bodies = Vec::new();
    let mut rest = text;
    while let Some(begin) = memmem::find(rest, b"-----BEGIN ") {
        let label = rest.get(begin + 11..).unwrap_or_default();
        let Some(start) = memmem::find(label, b"-----") else { break };
        let body = label.get(start + 5..).unwrap_or_default();
        let Some(end) = memmem::find(body, b"-----END ") else { break };
        let inner = body.get(..end).unwrap_or_default();
        if squeeze(inner).len() >= SHORTEST_PEM_BODY {
            bodies.push(Zeroizing::new(inner.trim_ascii().to_vec()));
        }
        rest = body.get(end..).unwrap_or_default();
    }
    bodies
}

/// What a value begins and ends with that does not count.
fn dropped(form: &[u8]) -> (&[u8], &[u8]) {
    let start = form.iter().take_while(|byte| is_dropped(**byte)).count();
    let end = form.len() - form.iter().rev().take_while(|byte| is_dropped(**byte)).count();
    (form.get(..start).unwrap_or_default(), form.get(end..).unwrap_or_default())
}

/// How the spellings of secrets begin.
#[derive(Default)]
pub(super) struct Index {
    /// The beginnings, sorted.
    beginnings: Vec<Beginning>,
    filter: Filter,
}

#[derive(Clone, Copy)]
struct Beginning {
    bytes: u32,
    secret: usize,
    spelling: Spelling,
}

impl Index {
    pub(super) fn is_empty(&self) -> bool {
        self.beginnings.is_empty()
    }

    fn add(&mut self, written: &[u8], secret: usize, spelling: Spelling) {
        if let Some(bytes) = written.first_chunk::<BEGINNING>().map(|first| u32::from_le_bytes(*first)) {
            self.filter.set(bytes);
            self.beginnings.push(Beginning { bytes, secret, spelling });
        }
    }

    fn sort(&mut self) {
        self.beginnings.sort_unstable_by_key(|beginning| beginning.bytes);
    }

    /// Those that are in a text.
    fn begun_in(&self, text: &[u8]) -> impl Iterator<Item = Beginning> {
        let mut begun = vec![false; self.beginnings.len()];
        for window in text.windows(BEGINNING) {
            let Some(bytes) = window.first_chunk().map(|first| u32::from_le_bytes(*first)) else { continue };
            if !self.filter.has(bytes) {
                continue;
            }
            let from = self.beginnings.partition_point(|beginning| beginning.bytes < bytes);
            let equal = self.beginnings.iter().zip(&mut begun).skip(from);
            equal.take_while(|(beginning, _)| beginning.bytes == bytes).for_each(|(_, begun)| *begun = true);
        }
        self.beginnings.iter().zip(begun).filter(|(_, begun)| *begun).map(|(beginning, _)| *beginning)
    }
}

/// Which beginnings there are, roughly.
struct Filter([u64; 1 << (FILTER_BITS - 6)]);

impl Default for Filter {
    fn default() -> Self {
        Self([0; 1 << (FILTER_BITS - 6)])
    }
}

impl Filter {
    fn set(&mut self, beginning: u32) {
        let (word, bit) = place(beginning);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn has(&self, beginning: u32) -> bool {
        let (word, bit) = place(beginning);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// Fibonacci hashing: the upper bits of a product depend on all of the factor.
fn place(beginning: u32) -> (usize, u64) {
    let hash = beginning.wrapping_mul(0x9E37_79B1) >> (32 - FILTER_BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn possible(secrets: &[&str], text: &str) -> Vec<String> {
        let mut needles = Needles::default();
        for secret in secrets {
            needles.add(secret);
        }
        let squeezed = squeeze(text.as_bytes());
        let mut found = needles.possible_in(&needles.squeezed, &squeezed);
        found.extend(needles.possible_in(&needles.exact, text.as_bytes()));
        let mut found: Vec<_> = found.iter().map(|n| String::from_utf8(n.bytes.to_vec()).unwrap()).collect();
        found.sort();
        found
    }

    #[test]
    fn what_begins_otherwise_is_not_searched_for() {
        let secrets = ["sk_live_one1", "sk_live_two2", "other", "no"];
        assert_eq!(possible(&secrets, "nothing of the kind"), Vec::<String>::new());
        assert_eq!(
            possible(&secrets, "in SK_live_three there is one that begins so"),
            ["sk_live_one1", "sk_live_two2"]
        );
        assert_eq!(possible(&secrets, "other"), ["other"]);
        assert_eq!(possible(&secrets, "OTHER"), Vec::<String>::new());
        assert_eq!(possible(&secrets, "othe"), Vec::<String>::new());
        assert_eq!(possible(&secrets, ""), Vec::<String>::new());
        assert_eq!(possible(&secrets, "rehto"), ["rehto"]);
    }

    #[test]
    fn case_counts_for_words_and_for_what_is_short() {
        for (value, way) in [
            ("no", Way::WholeString),
            ("test", Way::Exact),
            ("s3cr3t", Way::Exact),
            ("password", Way::Exact),
            ("Sandbox Account", Way::Exact),
            ("s3cr3t-value", Way::Squeezed),
            ("abcdefghijklmnop", Way::Squeezed),
            ("\"\"\"\"\"\"\"\"\"\"\"\"", Way::Exact),
        ] {
            assert!(way_of(value) == way, "{value}");
        }
    }

    #[test]
    fn a_value_has_a_form_for_each_meaning_and_hardly_ever_more_than_one() {
        for (value, count) in [
            ("sk_live_0123456789", 1),
            ("with a space 0123", 2),
            ("abc%2Fdef&amp;0123", 2),
            ("abc=3Ddef0123456", 2),
            ("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----\n", 3),
        ] {
            assert_eq!(forms(value, Way::Squeezed).len(), count, "{value}");
        }
    }
}
