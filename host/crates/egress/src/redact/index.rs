//! [`Index`]: how the forms of secrets begin. Few texts have one of the beginnings, and the others are passed over once.

use super::encoding::{BEGINNING, Encoding};
use super::normalize::normalized_ascii;

/// Bits of the filter: enough that a few hundred beginnings leave most of them unset.
const FILTER_BITS: u32 = 12;

/// A form of a secret: one of its own, by its place, or an encoding of it.
#[derive(Clone, Copy)]
pub(super) enum SecretEncoding {
    Form(usize),
    Encoded(Encoding),
}

/// The first bytes of the forms of secrets.
#[derive(Default)]
pub(super) struct Index {
    /// The beginnings, sorted.
    beginnings: Vec<Beginning>,
    filter: Option<Box<Filter>>,
}

#[derive(Clone, Copy)]
pub(super) struct Beginning {
    bytes: u32,
    pub(super) secret: usize,
    pub(super) encoding: SecretEncoding,
}

impl Index {
    pub(super) fn is_empty(&self) -> bool {
        self.beginnings.is_empty()
    }

    /// Whether the normalized form of a text may have one of the beginnings. Most texts are ASCII and have none, which is found
    /// without a copy of the text.
    pub(super) fn may_begin_in_normalized(&self, text: &[u8]) -> bool {
        let Some(filter) = &self.filter else { return false };
        // The last bytes that are kept. As long as they are fewer than a beginning, one of them is 0, which no beginning has.
        let mut window = 0_u32;
        for byte in text {
            match normalized_ascii(*byte) {
                None => return true,
                Some(0) => {}
                Some(kept) => {
                    window = (window >> 8) | (u32::from(kept) << 24);
                    if filter.has(window) && self.first_at(window).is_some() {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Place of the first of the equal beginnings.
    fn first_at(&self, bytes: u32) -> Option<usize> {
        let from = self.beginnings.partition_point(|beginning| beginning.bytes < bytes);
        self.beginnings.get(from).filter(|beginning| beginning.bytes == bytes).map(|_| from)
    }

    pub(super) fn add(&mut self, beginning: [u8; BEGINNING], secret: usize, encoding: SecretEncoding) {
        let bytes = u32::from_le_bytes(beginning);
        self.filter.get_or_insert_default().set(bytes);
        self.beginnings.push(Beginning { bytes, secret, encoding });
    }

    pub(super) fn sort(&mut self) {
        self.beginnings.sort_unstable_by_key(|beginning| beginning.bytes);
    }

    /// The beginnings that occur in a text.
    pub(super) fn begun_in(&self, text: &[u8]) -> impl Iterator<Item = Beginning> {
        // Most texts have none.
        let mut begun = Vec::new();
        if let Some(filter) = &self.filter {
            for window in text.windows(BEGINNING) {
                let Some(bytes) = window.first_chunk().map(|first| u32::from_le_bytes(*first)) else { continue };
                let Some(from) = filter.has(bytes).then(|| self.first_at(bytes)).flatten() else { continue };
                begun.resize(self.beginnings.len(), false);
                let equal = self.beginnings.iter().zip(&mut begun).skip(from);
                equal.take_while(|(beginning, _)| beginning.bytes == bytes).for_each(|(_, begun)| *begun = true);
            }
        }
        self.beginnings.iter().zip(begun).filter(|(_, begun)| *begun).map(|(beginning, _)| *beginning)
    }
}

/// A Bloom filter of the beginnings.
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
    use std::sync::Arc;

    use keyferry_types::secret::Secret;
    use proptest::prelude::*;

    use super::super::needles::Needles;
    use super::super::normalize::normalize;

    proptest! {
        #[test]
        fn what_begins_in_the_normalized_text_is_found_without_it(
            before in "[a-z \\n\"é]{0,12}", cut in 0_usize..30, after in "[A-Z '\\t]{0,12}"
        ) {
            let secret = "sk_Test-oneTwo/three:4 and5";
            let mut needles = Needles::default();
            needles.add(Arc::new(Secret::new(secret)));
            let text = format!("{before}{}{after}", secret.get(..cut).unwrap_or(secret).to_uppercase());
            let possible = needles.normalized.begun_in(&normalize(text.as_bytes())).next().is_some();
            // Other characters are left to the search itself.
            let expected = possible || !text.is_ascii();
            prop_assert_eq!(needles.normalized.may_begin_in_normalized(text.as_bytes()), expected);
        }
    }
}
