//! From when to when a certificate is valid, which is all that is read of it here: whether it is believed is for clients to decide.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use keyferry_types::path_text::ShowPath as _;

/// A certificate that ends sooner is warned of, unless it is so short-lived that this is most of its life.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// The part of a certificate's life that is its end: tools renew when a third is left.
const LAST_PART: i64 = 5;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Validity {
    /// That of a certificate in DER (RFC 5280, 4.1). `None` where it is not shaped like one.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let (certificate, _) = element(der, SEQUENCE)?;
        let (mut rest, _) = element(certificate, SEQUENCE)?;
        if let Some((_, after)) = element(rest, VERSION) {
            rest = after;
        }
        // Serial number, algorithm, issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            rest = element(rest, tag)?.1;
        }
        let (validity, _) = element(rest, SEQUENCE)?;
        let (not_before, rest) = time(validity)?;
        let (not_after, _) = time(rest)?;
        Some(Self { not_before, not_after })
    }

    /// What is wrong with it at a time, if anything is.
    fn problem(&self, now: Timestamp) -> Option<String> {
        let Self { not_before, not_after } = self;
        if now < *not_before {
            return Some(format!("is not valid before {not_before}: clients refuse it until then"));
        }
        if now >= *not_after {
            return Some(format!("expired at {not_after}: clients refuse it; renew it"));
        }
        let left = not_after.as_second() - now.as_second();
        let life = not_after.as_second() - not_before.as_second();
        let soon = i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX).min(life / LAST_PART);
        (left < soon).then(|| format!("expires at {not_after}, in {}; renew it", in_words(left)))
    }
}

fn in_words(seconds: i64) -> String {
    let hours = seconds / 3600;
    if hours >= 48 { format!("{} days", hours / 24) } else { format!("{hours} h") }
}

/// What is wrong with the certificates of a file at a time.
pub(crate) fn problems(chain: &[Validity], file: &Path, now: Timestamp) -> Vec<String> {
    let file = file.shown();
    let numbered = (1_usize..).zip(chain);
    numbered
        .filter_map(|(number, validity)| {
            let problem = validity.problem(now)?;
            Some(match number {
                1 => format!("the TLS certificate {file} {problem}"),
                _ => format!("certificate {number} in {file} {problem}"),
            })
        })
        .collect()
}

/// The content of the element of that tag which the bytes begin with, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (digits.iter().fold(0_usize, |length, digit| (length << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, and what follows.
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (content, rest, digits) = match (element(bytes, UTC_TIME), element(bytes, GENERALIZED_TIME)) {
        (Some((content, rest)), _) => (content, rest, 2),
        (None, Some((content, rest))) => (content, rest, 4),
        (None, None) => return None,
    };
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (year, rest_of_text) = text.split_at_checked(digits)?;
    let year: i16 = year.parse().ok()?;
    let year = match digits {
        2 if year < 50 => 2000 + year,
        2 => 1900 + year,
        _ => year,
    };
    let mut parts = [0_i8; 5];
    for (index, part) in parts.iter_mut().enumerate() {
        *part = rest_of_text.get(index * 2..index * 2 + 2)?.parse().ok()?;
    }
    let [month, day, hour, minute, second] = parts;
    let moment = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    // The last day that can be written means that there is no end, and is beyond the last timestamp.
    let timestamp = TimeZone::UTC.to_timestamp(moment).unwrap_or(Timestamp::MAX);
    Some((timestamp, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn validity(not_before: &str, not_after: &str) -> Validity {
        Validity { not_before: at(not_before), not_after: at(not_after) }
    }

    #[test]
    fn the_validity_of_a_certificate_is_read_and_what_is_none_is_not() {
        let key = rcgen::KeyPair::generate().unwrap();
        for (from, to) in [((2020, 1, 2), (2049, 12, 31)), ((1999, 12, 31), (2051, 2, 3))] {
            let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
            params.not_after = rcgen::date_time_ymd(to.0, to.1, to.2);
            let certificate = params.self_signed(&key).unwrap();
            let day = |(year, month, day): (i32, u8, u8)| at(&format!("{year}-{month:02}-{day:02}T00:00:00Z"));
            let expected = Validity { not_before: day(from), not_after: day(to) };
            assert_eq!(Validity::from_der(certificate.der()), Some(expected));
            for cut in 0..certificate.der().len().min(200) {
                // A file cut off at any byte is reported or ignored, without a panic.
                let _ = Validity::from_der(&certificate.der()[..cut]);
            }
        }
        for bytes in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x80\x00\x00", b"nonsense"] {
            assert_eq!(Validity::from_der(bytes), None);
        }
    }

    #[test]
    fn a_certificate_is_warned_of_before_during_its_last_days_and_after() {
        let year = validity("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        for (now, expected) in [
            ("2025-12-31T23:59:59Z", Some("is not valid before 2026-01-01T00:00:00Z")),
            ("2026-01-01T00:00:00Z", None),
            ("2026-12-17T23:59:59Z", None),
            ("2026-12-18T00:00:01Z", Some("expires at 2027-01-01T00:00:00Z, in 13 days; renew it")),
            ("2026-12-31T23:00:00Z", Some("in 1 h")),
            ("2027-01-01T00:00:00Z", Some("expired at 2027-01-01T00:00:00Z")),
        ] {
            let problem = year.problem(at(now));
            match (expected, &problem) {
                (None, None) => {}
                (Some(expected), Some(problem)) => assert!(problem.contains(expected), "{now}: {problem}"),
                _ => panic!("{now}: {problem:?}"),
            }
        }
        // One of six days is renewed when two are left.
        let short = validity("2026-01-01T00:00:00Z", "2026-01-07T00:00:00Z");
        assert_eq!(short.problem(at("2026-01-05T00:00:00Z")), None);
        assert!(short.problem(at("2026-01-06T00:00:00Z")).is_some());
        let told = problems(&[year, short], Path::new("c.pem"), at("2026-06-01T00:00:00Z"));
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("certificate 2 in c.pem expired at"), "{told:?}");
    }
}
