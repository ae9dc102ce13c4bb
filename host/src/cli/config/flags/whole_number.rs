//! Numbers as values of flags, with messages that say which numbers are wanted.

use std::num::NonZeroU32;

/// A type of whole numbers.
pub(in crate::cli) trait WholeNumber: Sized {
    /// The smallest value.
    const LEAST: u64;
    /// The largest value.
    const MOST: u64;

    /// The value, if the type has it.
    fn from_u64(number: u64) -> Option<Self>;
}

impl WholeNumber for NonZeroU32 {
    const LEAST: u64 = 1;
    const MOST: u64 = u32::MAX as u64;

    fn from_u64(number: u64) -> Option<Self> {
        Self::new(u32::try_from(number).ok()?)
    }
}

impl WholeNumber for u32 {
    const LEAST: u64 = 0;
    const MOST: u64 = u32::MAX as u64;

    fn from_u64(number: u64) -> Option<Self> {
        Self::try_from(number).ok()
    }
}

impl WholeNumber for u64 {
    const LEAST: u64 = 0;
    const MOST: u64 = u64::MAX;

    fn from_u64(number: u64) -> Option<Self> {
        Some(number)
    }
}

impl WholeNumber for usize {
    const LEAST: u64 = 0;
    const MOST: u64 = usize::MAX as u64;

    fn from_u64(number: u64) -> Option<Self> {
        Self::try_from(number).ok()
    }
}

/// Parses a number.
pub(in crate::cli) fn whole_number<N: WholeNumber>(text: &str) -> Result<N, String> {
    let text = text.trim();
    if let Some(number) = text.parse().ok().and_then(N::from_u64) {
        return Ok(number);
    }
    let (least, most) = (N::LEAST, N::MOST);
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_small = text.bytes().all(|byte| byte == b'0');
    Err(match is_digits && !is_small {
        true => format!("it is too large: it must be a whole number from {least} to {most}"),
        false => format!("it must be a whole number of {least} or more"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_of_its_type_or_the_message_says_which_are() {
        let one = |text| whole_number::<NonZeroU32>(text).map(|number| number.get().to_string());
        let any = |text| whole_number::<u64>(text).map(|number| number.to_string());
        let wanted = |least: u32| Err(format!("it must be a whole number of {least} or more"));
        for (text, nonzero, natural) in [
            ("1", Ok("1".to_owned()), Ok("1".to_owned())),
            (" 007 ", Ok("7".to_owned()), Ok("7".to_owned())),
            ("0", wanted(1), Ok("0".to_owned())),
            ("-1", wanted(1), wanted(0)),
            ("1.5", wanted(1), wanted(0)),
            ("10s", wanted(1), wanted(0)),
            ("", wanted(1), wanted(0)),
            (
                "4294967296",
                Err("it is too large: it must be a whole number from 1 to 4294967295".to_owned()),
                Ok("4294967296".to_owned()),
            ),
        ] {
            assert_eq!((one(text), any(text)), (nonzero, natural), "{text}");
        }
    }
}
