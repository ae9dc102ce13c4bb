//! A moment as people, programs and spreadsheets write it: [`Moment::read`].
//!
//! | written as | read as |
//! |---|---|
//! | `2026-12-31T23:59:59Z`, `2026-12-31 23:59:59.5+02:00`, lower-case `t` and `z`, `... UTC`, `... +0000` | RFC 3339 |
//! | `2026/12/31 23:59:59Z` | the same |
//! | `2026-12-31 23:59:59` | UTC, with a note |
//! | `Thu, 31 Dec 2026 23:59:59 GMT`, `Thursday, 31-Dec-26 23:59:59 GMT` | RFC 2822, and HTTP |
//! | `Thu Dec 31 23:59:59 UTC 2026` | as `date` and Java print it |
//! | `Thu Dec 31 2026 23:59:59 GMT+0000 (Coordinated Universal Time)` | as JavaScript prints it |
//! | `Thu Dec 31 23:59:59 2026` | as C and Python print it: UTC, with a note |
//! | `1798761599`, `1798761599.5` | seconds since 1970, where that is before the year 5138 |
//! | `1798761599000` | milliseconds since 1970 |
//! | `1.79876E+12` | the same, where the digits tell the day, with a note on what is lost |

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::invisible::is_invisible;

/// A number below this counts seconds: as milliseconds it would be a moment before March 1973.
const SECONDS_BELOW: u128 = 100_000_000_000;
/// Milliseconds of 9999-12-31T23:59:59.999Z: no later moment can be written in four digits of a year.
const LATEST: u64 = 253_402_300_799_999;
/// Bytes of the longest text that is looked at.
const LONGEST: usize = 96;
/// Milliseconds that the last digit of a shortened number may stand for.
const COARSEST: u128 = 24 * 60 * 60 * 1000;

/// A moment that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub millis: u64,
    /// What the text left open, or had lost before it was read.
    pub exactness: Exactness,
}

/// Exactness of a moment as its text gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exactness {
    /// The text gives the exact moment.
    Exact,
    /// It had no offset from UTC, and UTC was supposed.
    SupposedUtc,
    /// It was a shortened number, exact to this many minutes.
    Minutes(u64),
}

/// A text that is no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoment {
    /// It is not in a form that is known, or before 1970 or after 9999.
    #[error(
        "must be a time: as RFC 3339 writes it (2026-12-31T23:59:59Z), or a number of seconds or milliseconds since 1970"
    )]
    Form,
    /// It is a number of so few digits that it does not tell the day.
    #[error(
        "must be a time, and is a number that a spreadsheet has shortened until it no longer tells the day; format the \
         column as a number without decimals or as text, and export it again"
    )]
    Shortened,
}

impl Moment {
    /// Reads a moment. Blanks around it do not matter.
    ///
    /// # Errors
    /// If the text is not a moment.
    ///
    /// ```
    /// use keyferry_types::moment::Moment;
    /// assert_eq!(Moment::read("2026-12-31T23:59:59Z")?.millis, 1_798_761_599_000);
    /// assert_eq!(Moment::read("1798761599")?.millis, 1_798_761_599_000);
    /// assert!(Moment::read("-1").is_err());
    /// # Ok::<(), keyferry_types::moment::InvalidMoment>(())
    /// ```
    pub fn read(text: &str) -> Result<Self, InvalidMoment> {
        let text = text.trim_matches(|c: char| c == ' ' || is_invisible(c));
        if text.len() > LONGEST {
            return Err(InvalidMoment::Form);
        }
        let moment = match number(text) {
            Some(number) => number?,
            None => date(text).ok_or(InvalidMoment::Form)?,
        };
        if moment.millis > LATEST { Err(InvalidMoment::Form) } else { Ok(moment) }
    }
}

/// A number of seconds or milliseconds; `None` where the text is not a number that is written in digits.
fn number(text: &str) -> Option<Result<Moment, InvalidMoment>> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.parse::<i32>().ok()?)),
        None => (text, None),
    };
    let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
    let point = mantissa.split_once('.').or_else(|| exponent.and(mantissa.split_once(',')));
    let (whole, fraction) = point.unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    Some(counted(whole, fraction, exponent))
}

fn counted(whole: &str, fraction: &str, exponent: Option<i32>) -> Result<Moment, InvalidMoment> {
    // More digits than this are no number of milliseconds before the year 10000, or a fraction of one.
    if whole.len() > 24 || fraction.len() > 24 || exponent.is_some_and(|exponent| !(-24..=24).contains(&exponent)) {
        return Err(InvalidMoment::Form);
    }
    let fraction = fraction.get(..fraction.len().min(12)).unwrap_or_default();
    let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_| InvalidMoment::Form)?;
    // How often the digits are multiplied by ten to become the number.
    let scale = exponent.unwrap_or_default() - i32::try_from(fraction.len()).unwrap_or_default();
    let seconds = scaled(digits, scale).ok_or(InvalidMoment::Form)? < SECONDS_BELOW;
    let scale = if seconds { scale + 3 } else { scale };
    let millis = scaled(digits, scale).and_then(|millis| u64::try_from(millis).ok()).ok_or(InvalidMoment::Form)?;
    // The last digit of a number with an exponent is the last one that was left of it.
    let step = scaled(1, scale).unwrap_or_default();
    let exactness = match exponent {
        Some(_) if step > COARSEST => return Err(InvalidMoment::Shortened),
        Some(_) if step > 1 => Exactness::Minutes(u64::try_from(step.div_ceil(60_000)).unwrap_or(u64::MAX)),
        _ => Exactness::Exact,
    };
    Ok(Moment { millis, exactness })
}

/// Digits, ten to that power times, without what is behind the point.
fn scaled(digits: u128, power: i32) -> Option<u128> {
    let factor = 10u128.checked_pow(power.unsigned_abs())?;
    if power < 0 { digits.checked_div(factor) } else { digits.checked_mul(factor) }
}

fn date(text: &str) -> Option<Moment> {
    let exact = |timestamp: jiff::Timestamp| {
        let millis = u64::try_from(timestamp.as_millisecond()).ok()?;
        Some(Moment { millis, exactness: Exactness::Exact })
    };
    if let Ok(zoned) = jiff::fmt::rfc2822::parse(text) {
        return exact(zoned.timestamp());
    }
    if let Some((written, exactness)) = in_words(text) {
        let zoned = jiff::fmt::rfc2822::parse(&written).ok()?;
        return Some(Moment { exactness, ..exact(zoned.timestamp())? });
    }
    let with_dashes = matches!(text.as_bytes(), [_, _, _, _, b'/', _, _, b'/', ..]).then(|| text.replacen('/', "-", 2));
    let text = with_dashes.as_deref().unwrap_or(text);
    // `2026-12-31 23:59:59 UTC` and `2026-12-31 23:59:59 +0000`, as databases write it.
    let zulu = [" UTC", " utc", " GMT", " Z"].into_iter().find_map(|zone| text.strip_suffix(zone));
    let zulu = zulu.map(|local| format!("{local}Z"));
    let apart = text.rsplit_once(' ').filter(|(_, offset)| offset.starts_with(['+', '-']));
    let together = zulu.or_else(|| apart.map(|(local, offset)| format!("{}{offset}", local.trim_end())));
    let text = together.as_deref().unwrap_or(text);
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return exact(timestamp);
    }
    // A date alone is no moment: it does not say at which end of the day.
    let local: DateTime = text.contains(':').then(|| text.parse().ok())??;
    let timestamp = TimeZone::UTC.to_timestamp(local).ok()?;
    Some(Moment { exactness: Exactness::SupposedUtc, ..exact(timestamp)? })
}

/// A date with the name of its month, as RFC 2822 writes it, and whether it had an offset from UTC.
fn in_words(text: &str) -> Option<(String, Exactness)> {
    let words: Vec<&str> = text.split_ascii_whitespace().take(6).collect();
    let is_utc = |zone: &str| ["GMT", "UTC", "Z"].iter().any(|utc| zone.eq_ignore_ascii_case(utc));
    match *words {
        // C, and the third form of HTTP.
        [_, month, day, clock, year] if clock.contains(':') => {
            Some((format!("{day} {month} {year} {clock} +0000"), Exactness::SupposedUtc))
        }
        [_, month, day, clock, zone, year] if clock.contains(':') && is_utc(zone) => {
            Some((format!("{day} {month} {year} {clock} +0000"), Exactness::Exact))
        }
        // JavaScript; the name of the zone that may follow says nothing more.
        [_, month, day, year, clock, zone, ..] if clock.contains(':') => {
            let offset = zone.strip_prefix("GMT")?;
            let offset = if offset.is_empty() { "+0000" } else { offset };
            Some((format!("{day} {month} {year} {clock} {offset}"), Exactness::Exact))
        }
        // The second form of HTTP (RFC 850).
        [_, date, clock, zone] if clock.contains(':') && is_utc(zone) => {
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            let year = match (year.len(), year.parse::<u32>().ok()?) {
                (2, year) if year < 70 => year + 2000,
                (2, year) => year + 1900,
                (_, year) => year,
            };
            Some((format!("{day} {month} {year} {clock} +0000"), Exactness::Exact))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: u64 = 1_798_761_599_000;

    #[test]
    fn a_moment_is_read_in_every_form_that_is_in_use() {
        for text in [
            "2026-12-31T23:59:59Z",
            "2026-12-31t23:59:59z",
            "2026-12-31 23:59:59Z",
            "2026-12-31T23:59:59+00:00",
            "2026-12-31T23:59:59.000+00:00",
            "2026-12-31T23:59:59.000000000Z",
            "2027-01-01T01:59:59+02:00",
            "2027-01-01 01:59:59+0200",
            "2026-12-31T18:29:59-05:30",
            "2026-12-31 23:59:59 UTC",
            "2026-12-31 23:59:59 +0000",
            "2027-01-01 01:59:59 +0200",
            "2026-12-31 23:59:59 GMT",
            "2026-12-31 23:59:59 Z",
            "2026-12-31T23:59:59+00:00[Etc/UTC]",
            "2027-01-01T01:59:59+02",
            "2026/12/31 23:59:59Z",
            "2027/01/01 01:59:59 +0200",
            "20261231T235959Z",
            "Thu, 31 Dec 2026 23:59:59 GMT",
            "Thu, 31 Dec 2026 23:59:59 +0000",
            "31 Dec 2026 23:59:59 GMT",
            "Thursday, 31-Dec-26 23:59:59 GMT",
            "Thu, 31-Dec-2026 23:59:59 GMT",
            "Thu Dec 31 23:59:59 UTC 2026",
            "Thu Dec 31 23:59:59 GMT 2026",
            "Thu Dec 31 2026 23:59:59 GMT+0000 (Coordinated Universal Time)",
            "Fri Jan 01 2027 01:59:59 GMT+0200 (Eastern European Standard Time)",
            "Thu Dec 31 2026 15:59:59 GMT-0800",
            "Thu Dec 31 2026 23:59:59 GMT",
            "1798761599",
            " 1798761599 ",
            "\u{feff}1798761599\u{a0}\n",
            "+1798761599",
            "1798761599.0",
            "1798761599.000",
            "1798761599000",
            "1798761599000.0",
            "1.798761599E+9",
            "1.798761599e9",
            "1.798761599E+12",
            "1,798761599E+12",
            "1798761599e0",
            "1798761599e3",
        ] {
            let read = Moment::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(read.millis, MOMENT, "{text}");
        }
        assert_eq!(Moment::read("1798761599.75").unwrap().millis, MOMENT + 750);
        assert_eq!(Moment::read("2026-12-31T23:59:59.75Z").unwrap().millis, MOMENT + 750);
        assert_eq!(Moment::read("0").unwrap().millis, 0);
    }

    #[test]
    fn what_was_supposed_or_lost_is_told() {
        for (text, millis, exactness) in [
            ("2026-12-31 23:59:59", MOMENT, Exactness::SupposedUtc),
            ("2026-12-31T23:59:59", MOMENT, Exactness::SupposedUtc),
            ("2026/12/31 23:59:59", MOMENT, Exactness::SupposedUtc),
            ("Thu Dec 31 23:59:59 2026", MOMENT, Exactness::SupposedUtc),
            ("Fri Jan  1 00:00:00 2027", MOMENT + 1000, Exactness::SupposedUtc),
            ("2026-12-31T23:59:59Z", MOMENT, Exactness::Exact),
            ("1.79876E+12", 1_798_760_000_000, Exactness::Minutes(167)),
            ("1.79876E+09", 1_798_760_000_000, Exactness::Minutes(167)),
            ("1,79876E+12", 1_798_760_000_000, Exactness::Minutes(167)),
            ("1.79876160E+09", 1_798_761_600_000, Exactness::Minutes(1)),
            ("1.798761599000E+12", MOMENT, Exactness::Exact),
        ] {
            assert_eq!(Moment::read(text), Ok(Moment { millis, exactness }), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            " ",
            "-1",
            "-1798761599",
            "NaN",
            "nan",
            "inf",
            "Infinity",
            "tomorrow",
            "2026-12-31",
            "31/12/2026 23:59",
            "31.12.2026 23:59:59",
            "2026/12/31",
            "Thu Dec 31 23:59:59 CET 2026",
            "Thu Dec 31 2026 23:59:59 CET",
            "Thu Foo 31 23:59:59 2026",
            "Thursday, 31-Dec-26 23:59:59 CET",
            "Thursday, 31-26 23:59:59 GMT",
            "a b c d:e f",
            "2026-12-31 23:59:59 EST",
            "12/31/2026",
            "2026-13-01T00:00:00Z",
            "2026-12-31T25:00:00Z",
            "1960-01-01T00:00:00Z",
            "1e300",
            "1e-300",
            "1e",
            "e9",
            ".",
            "0x6B",
            "1_798_761_599",
            "1,798,761,599",
            "1798761599s",
            "18446744073709551615",
            "99999999999999999999999",
            "999999999999999999999999999999999999999999999999999999999999999999999",
            "253402300800000",
            "1798761599000000",
        ] {
            assert_eq!(Moment::read(text), Err(InvalidMoment::Form), "{text}");
        }
        for text in ["1.8E+12", "1.79E+12", "2E+9", "1.7988E+12"] {
            assert_eq!(Moment::read(text), Err(InvalidMoment::Shortened), "{text}");
        }
    }
}
