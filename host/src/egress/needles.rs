//! Many needles and one text: which of them can be in it at all.
//!
//! A secret has some thirty spellings, and hardly any text holds one of them. Preparing a search for each costs far more than
//! walking over a text once and looking at how the needles begin; what is left after that is searched for as it should be.

use zeroize::Zeroizing;

/// How much of a needle is looked at first.
const BEGINNING: usize = 4;
/// Bits of the filter: so many that a few hundred needles leave most of them unset.
const FILTER_BITS: u32 = 12;

/// What is searched for, and where it counts.
pub(super) struct Needle {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) place: Place,
}

/// Where a needle counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Wherever it is.
    Anywhere,
    /// Where it is the whole of a quoted string or of the text.
    WholeString,
}

/// All needles.
#[derive(Default)]
pub(super) struct Needles {
    all: Vec<Needle>,
    /// How those begin that are long enough, in order, and which ones they are.
    beginnings: Vec<(u32, usize)>,
    filter: Filter,
}

impl Needles {
    /// Adds one, unless it is empty or there.
    pub(super) fn push(&mut self, bytes: Zeroizing<Vec<u8>>, place: Place) {
        if bytes.is_empty() || self.all.iter().any(|known| *known.bytes == *bytes) {
            return;
        }
        if let Some(beginning) = bytes.first_chunk().map(|first| u32::from_le_bytes(*first)) {
            let at = self.beginnings.partition_point(|(known, _)| *known <= beginning);
            self.beginnings.insert(at, (beginning, self.all.len()));
            self.filter.set(beginning);
        }
        self.all.push(Needle { bytes, place });
    }

    /// Those that a text can hold: all that it does, and seldom another.
    pub(super) fn possible_in(&self, text: &[u8]) -> impl Iterator<Item = &Needle> {
        let mut begins: Vec<bool> = vec![false; self.all.len()];
        for window in text.windows(BEGINNING) {
            let Some(beginning) = window.first_chunk().map(|first| u32::from_le_bytes(*first)) else { continue };
            if !self.filter.has(beginning) {
                continue;
            }
            let from = self.beginnings.partition_point(|(known, _)| *known < beginning);
            let equal = self.beginnings.iter().skip(from).take_while(|(known, _)| *known == beginning);
            for (_, needle) in equal {
                if let Some(begins) = begins.get_mut(*needle) {
                    *begins = true;
                }
            }
        }
        let is_possible = move |(needle, begins): &(&Needle, bool)| {
            needle.bytes.len() <= text.len() && (*begins || needle.bytes.len() < BEGINNING)
        };
        self.all.iter().zip(begins).filter(is_possible).map(|(needle, _)| needle)
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
    use proptest::prelude::*;

    fn needles(all: &[Vec<u8>]) -> Needles {
        let mut needles = Needles::default();
        for needle in all {
            needles.push(Zeroizing::new(needle.clone()), Place::Anywhere);
        }
        needles
    }

    #[test]
    fn what_begins_otherwise_is_not_searched_for() {
        let needles = needles(&[b"sk_live_1".to_vec(), b"sk_live_2".to_vec(), b"other".to_vec(), b"no".to_vec()]);
        let possible = |text: &str| {
            let found = needles.possible_in(text.as_bytes()).map(|needle| String::from_utf8(needle.bytes.to_vec()));
            found.collect::<Result<Vec<_>, _>>().unwrap()
        };
        assert_eq!(possible("nothing of the kind"), ["no"]);
        assert_eq!(possible("in sk_live_3 there is one that begins so"), ["sk_live_1", "sk_live_2", "no"]);
        assert_eq!(possible("other"), ["other", "no"]);
        assert_eq!(possible("othe"), ["no"]);
        assert_eq!(possible("x"), Vec::<String>::new());
        assert_eq!(possible(""), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn all_that_a_text_holds_is_possible(
            all in prop::collection::vec(prop::collection::vec(97_u8..100, 1..7), 1..40),
            text in prop::collection::vec(97_u8..100, 0..60),
        ) {
            let needles = needles(&all);
            let possible: Vec<&[u8]> = needles.possible_in(&text).map(|needle| needle.bytes.as_slice()).collect();
            for needle in &all {
                let is_in = text.windows(needle.len()).any(|window| window == needle);
                prop_assert!(!is_in || possible.contains(&needle.as_slice()));
            }
        }
    }
}
