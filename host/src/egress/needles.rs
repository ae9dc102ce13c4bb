//! Many spellings of secrets and one text: which of them can be in it at all.
//!
//! A secret has some thirty spellings, and hardly any text holds one of them. To write them all, and to prepare a search for each,
//! costs far more than to walk over a text once and look at how they would begin; only those that are left are written and searched
//! for. A copy of a secret in each spelling is not kept, either.

use zeroize::Zeroizing;

use super::spelling::{BEGINNING, Spelling};

/// A value shorter than this is replaced only where it is the whole of a quoted string or of the text. Replaced anywhere,
/// a value such as `1` or `no` would tear every answer apart, and protect nothing: so short a value can be guessed.
const SHORTEST_ANYWHERE: usize = 4;
/// Bits of the filter: so many that a few hundred beginnings leave most of them unset.
const FILTER_BITS: u32 = 12;

/// What is searched for, and where it counts.
pub(super) struct Needle {
    pub(super) bytes: Zeroizing<String>,
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

/// All that is searched for.
#[derive(Default)]
pub(super) struct Needles {
    secrets: Vec<Zeroizing<String>>,
    /// How the spellings of those begin that are long enough, in order.
    beginnings: Vec<Beginning>,
    filter: Filter,
}

#[derive(Clone, Copy)]
struct Beginning {
    bytes: u32,
    secret: usize,
    spelling: Spelling,
}

impl Needles {
    /// Adds a value in every spelling, unless it is empty or there.
    pub(super) fn add(&mut self, value: &str) {
        if value.is_empty() || self.secrets.iter().any(|known| **known == *value) {
            return;
        }
        let secret = self.secrets.len();
        self.secrets.push(Zeroizing::new(value.to_owned()));
        if value.len() < SHORTEST_ANYWHERE {
            return;
        }
        for spelling in Spelling::all_of(value) {
            if let Some(bytes) = spelling.beginning_of(value).map(u32::from_le_bytes) {
                self.filter.set(bytes);
                self.beginnings.push(Beginning { bytes, secret, spelling });
            }
        }
        self.beginnings.sort_unstable_by_key(|beginning| beginning.bytes);
    }

    /// Those that a text can hold: all that it does, and seldom another.
    pub(super) fn possible_in(&self, text: &[u8]) -> Vec<Needle> {
        let mut possible: Vec<Needle> = Vec::new();
        for short in self.secrets.iter().filter(|secret| secret.len() < SHORTEST_ANYWHERE.min(text.len() + 1)) {
            possible.push(Needle { bytes: short.clone(), place: Place::WholeString });
        }
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
        for (Beginning { secret, spelling, .. }, _) in self.beginnings.iter().zip(begun).filter(|(_, begun)| *begun) {
            // No spelling is shorter than its value: what cannot be in the text is not written.
            let value = self.secrets.get(*secret).filter(|value| value.len() <= text.len());
            if let Some(bytes) = value.and_then(|value| spelling.of(value))
                && !possible.iter().any(|known| *known.bytes == *bytes)
            {
                possible.push(Needle { bytes, place: Place::Anywhere });
            }
        }
        possible
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

    fn needles(secrets: &[&str]) -> Needles {
        let mut needles = Needles::default();
        for secret in secrets {
            needles.add(secret);
        }
        needles
    }

    #[test]
    fn what_begins_otherwise_is_not_searched_for() {
        let needles = needles(&["sk_live_one", "sk_live_two", "other", "no"]);
        let possible = |text: &str| {
            let mut found: Vec<String> =
                needles.possible_in(text.as_bytes()).into_iter().map(|n| n.bytes.to_string()).collect();
            found.sort();
            found
        };
        assert_eq!(possible("nothing of the kind"), ["no"]);
        assert_eq!(possible("in sk_live_th there is one that begins so"), ["no", "sk_live_one", "sk_live_two"]);
        assert_eq!(possible("other"), ["no", "other"]);
        assert_eq!(possible("othe"), ["no"]);
        assert_eq!(possible("x"), Vec::<String>::new());
        assert_eq!(possible(""), Vec::<String>::new());
        assert_eq!(possible("rehto"), ["no", "rehto"]);
    }

    proptest! {
        #[test]
        fn all_that_a_text_holds_is_possible(
            secret in "[a-c/\" é]{1,40}", before in "[a-c/\" é]{0,9}", after in "[a-c/\" é]{0,9}",
        ) {
            let needles = needles(&[&secret, "other", "abc/"]);
            for spelling in Spelling::all_of(&secret).filter(|_| secret.len() >= SHORTEST_ANYWHERE) {
                let Some(spelled) = spelling.of(&secret) else { continue };
                let text = format!("{before}{}{after}", *spelled);
                let possible = needles.possible_in(text.as_bytes());
                prop_assert!(possible.iter().any(|needle| *needle.bytes == *spelled), "{spelling:?}");
            }
        }
    }
}
