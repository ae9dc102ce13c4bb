//! Secrets that a search recognises at any place and in any encoding.

use std::fmt;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::or_fail::OrFail as _;

/// Characters of each half of a canary. 62^16 values: no match is a coincidence.
const HALF: usize = 16;

/// A secret of one test run.
#[derive(Debug, Clone)]
pub struct Canary {
    name: String,
    value: String,
    halves: [String; 2],
}

impl Canary {
    /// A new random one. Between its halves are characters that each encoding writes differently.
    pub fn new(name: &str) -> Self {
        Self::with_middle(name, "/+=\"%&")
    }

    /// A new random one that has only letters and digits, for places that allow no others.
    pub fn plain(name: &str) -> Self {
        Self::with_middle(name, "")
    }

    fn with_middle(name: &str, middle: &str) -> Self {
        let halves = [random(), random()];
        Self { name: name.to_owned(), value: format!("{}{middle}{}", halves[0], halves[1]), halves }
    }

    /// A canary with a given value: the search looks for its first and last characters.
    pub fn known(name: &str, value: &str) -> Self {
        let chars: Vec<char> = value.chars().collect();
        let half = (chars.len() / 2).min(20);
        let of = |chars: &[char]| chars.iter().collect::<String>();
        let (head, tail) = (chars.get(..half), chars.get(chars.len() - half..));
        let halves = [of(head.or_fail("its beginning")), of(tail.or_fail("its end"))];
        Self { name: name.to_owned(), value: value.to_owned(), halves }
    }

    /// Its name in findings.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The secret.
    pub fn value(&self) -> &str {
        &self.value
    }
}

fn random() -> String {
    let mut bytes = [0; HALF];
    getrandom::fill(&mut bytes).or_fail("random bytes for a canary");
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    // The slight bias towards some letters is harmless here.
    bytes.iter().map(|byte| alphabet.get(usize::from(*byte) % alphabet.len()).map_or('A', |b| char::from(*b))).collect()
}

/// The place of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The canary's name.
    pub canary: String,
    /// Its encoding there.
    pub spelling: &'static str,
    /// Its offset in bytes.
    pub at: usize,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) at byte {}", self.canary, self.spelling, self.at)
    }
}

/// Searches for several canaries at once.
///
/// The search looks for each half alone, so that it also finds a canary that was cut. Halves are letters and digits,
/// which URLs, forms, JSON and HTML write unchanged; other encodings are searched in each form that they can have.
pub struct Searcher {
    automaton: AhoCorasick,
    meanings: Vec<(String, &'static str)>,
    longest: usize,
}

impl Searcher {
    /// Searches for these canaries.
    pub fn new<'a>(canaries: impl IntoIterator<Item = &'a Canary>) -> Self {
        let (mut needles, mut meanings) = (Vec::new(), Vec::new());
        for canary in canaries {
            for (spelling, needle) in canary.halves.iter().flat_map(|half| spellings(half)) {
                needles.push(needle);
                meanings.push((canary.name.clone(), spelling));
            }
        }
        let longest = needles.iter().map(Vec::len).max().unwrap_or_default();
        let automaton = AhoCorasick::new(&needles).or_fail("build the search");
        Self { automaton, meanings, longest }
    }

    /// Length in bytes of the longest encoding.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// All places of canaries in these bytes.
    pub fn find(&self, haystack: &[u8]) -> Vec<Finding> {
        let found = self.automaton.find_iter(haystack).filter_map(|found| {
            let (canary, spelling) = self.meanings.get(found.pattern().as_usize())?;
            Some(Finding { canary: canary.clone(), spelling, at: found.start() })
        });
        found.collect()
    }
}

fn spellings(half: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = half.bytes().map(|byte| format!("{byte:02x}")).collect();
    let wide = |order: fn(u16) -> [u8; 2]| half.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let mut spellings = vec![
        ("as it is", half.as_bytes().to_vec()),
        ("in lower case", half.to_ascii_lowercase().into_bytes()),
        ("in upper case", half.to_ascii_uppercase().into_bytes()),
        ("backwards", half.chars().rev().collect::<String>().into_bytes()),
        ("in hex", hex.to_ascii_uppercase().into_bytes()),
        ("in hex", hex.into_bytes()),
        ("in UTF-16 LE", wide(u16::to_le_bytes)),
        ("in UTF-16 BE", wide(u16::to_be_bytes)),
    ];
    for before in 0..3 {
        // The bytes before shift the six bits of each character; the characters at the seams also hold bits of others.
        let padded = [vec![0_u8; before].as_slice(), half.as_bytes()].concat();
        for (name, encoded) in
            [("in base64", STANDARD_NO_PAD.encode(&padded)), ("in URL-safe base64", URL_SAFE_NO_PAD.encode(&padded))]
        {
            let inner = encoded.get((before * 8).div_ceil(6)..padded.len() * 8 / 6).or_fail("the inside of base64");
            spellings.push((name, inner.as_bytes().to_vec()));
        }
    }
    spellings
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;

    /// Proves that the search finds planted secrets. Otherwise an empty result means nothing.
    #[test]
    fn a_canary_is_found_in_each_spelling_wherever_it_stands() {
        let (canary, other) = (Canary::new("planted"), Canary::new("other"));
        let searcher = Searcher::new([&canary, &other]);
        let value = canary.value();
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let wide = |order: fn(u16) -> [u8; 2]| value.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let percent = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        let mut planted: Vec<(String, Vec<u8>)> = [
            ("raw", value.as_bytes().to_vec()),
            ("first half", value.as_bytes()[..HALF].to_vec()),
            ("last half", value.as_bytes()[value.len() - HALF..].to_vec()),
            ("url", percent.clone().into_bytes()),
            ("form", percent.replace("%20", "+").into_bytes()),
            ("json", serde_json::Value::from(value).to_string().into_bytes()),
            ("html", value.replace('&', "&amp;").replace('"', "&quot;").into_bytes()),
            ("debug", format!("{value:?}").into_bytes()),
            ("header name", value.to_ascii_lowercase().into_bytes()),
            ("backwards", value.chars().rev().collect::<String>().into_bytes()),
            ("hex", hex.clone().into_bytes()),
            ("HEX", hex.to_uppercase().into_bytes()),
            ("utf-16 le", wide(u16::to_le_bytes)),
            ("utf-16 be", wide(u16::to_be_bytes)),
        ]
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .into();
        for before in ["", "u", "u:", "usr", "user:"] {
            for after in ["", ":x"] {
                let text = format!("{before}{value}{after}");
                planted.push((format!("base64 after {before:?}"), STANDARD.encode(&text).into_bytes()));
                planted.push((format!("url-safe base64 after {before:?}"), URL_SAFE.encode(&text).into_bytes()));
            }
        }
        for (name, bytes) in planted {
            for around in [0, 1, 4096] {
                let noise = vec![b'='; around];
                let found = searcher.find(&[noise.as_slice(), &bytes, &noise].concat());
                assert!(!found.is_empty(), "{name} is not found");
                assert!(found.iter().all(|found| found.canary == "planted"), "{name}: {found:?}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let canaries: Vec<_> = (0..20).map(|n| Canary::new(&n.to_string())).collect();
        let mut noise = vec![0; 1 << 22];
        getrandom::fill(&mut noise).unwrap();
        assert_eq!(Searcher::new(&canaries).find(&noise), []);
        let text: Vec<u8> = noise.iter().map(|byte| b'A' + byte % 58).collect();
        assert_eq!(Searcher::new(&canaries).find(&text), []);
        let less = &canaries[0].value()[1..HALF];
        assert_eq!(Searcher::new(&canaries).find(less.as_bytes()), [], "fifteen of sixteen characters are no half");
    }

    #[test]
    fn one_that_somebody_else_made_is_found_by_its_ends() {
        let canary = Canary::known("key", "tk_abcdefghijklmnopqrstuvwxyz0123456789");
        for text in ["tk_abcdefghijklmnopqrstuvwxyz", "cut off: qrstuvwxyz0123456789", "TK_ABCDEFGHIJKLMNOPQ"] {
            assert!(!Searcher::new([&canary]).find(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
