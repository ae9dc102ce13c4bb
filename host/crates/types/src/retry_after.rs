//! The wait that a server asks for: `Retry-After` (RFC 9110, section 10.2.3) as servers write it, in whole seconds, parts of a second
//! or as a date; and the headers beside it that say when a limit is over.

use std::time::Duration;

use crate::moment::Moment;

/// The longest wait that a header can ask for. One that asks for more means another unit, or a moment.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait that the value of `Retry-After` asks for, in seconds, rounded up and at most [`LONGEST`]; `None` if it is not valid.
/// `now_ms` is the time of the response, in milliseconds since 1970.
///
/// ```
/// use keyferry_types::retry_after::seconds;
/// let now_ms = 1_000;
/// assert_eq!(seconds("2.0", now_ms), Some(2));
/// assert_eq!(seconds("0.5", now_ms), Some(1));
/// assert_eq!(seconds("Thu, 01 Jan 1970 00:01:01 GMT", now_ms), Some(60));
/// assert_eq!(seconds("soon", now_ms), None);
/// ```
pub fn seconds(text: &str, now_ms: u64) -> Option<u32> {
    let text = text.trim().trim_matches('"').trim();
    let seconds = match number(text) {
        Some(seconds) => seconds,
        // A number in another form is no moment here.
        None if text.contains(':') => Moment::read(text).ok()?.millis.saturating_sub(now_ms).div_ceil(1000),
        None => return None,
    };
    u32::try_from(seconds.min(LONGEST.as_secs())).ok()
}

/// The wait in seconds that the headers of an unsuccessful response ask for, by `Retry-After`, or else by what many APIs send in its place:
/// `Retry-After-Ms`, and `X-RateLimit-Reset`, `RateLimit-Reset` and the like, in seconds from now or as a moment, where the limit
/// that they are about is used up. Names are in lower case.
///
/// ```
/// use keyferry_types::retry_after::of_headers;
/// let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1798761599")];
/// assert_eq!(of_headers(&headers, 1_798_761_569_000), Some(30));
/// ```
pub fn of_headers(headers: &[(&str, &str)], now_ms: u64) -> Option<u32> {
    let value = |name: &str| headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.trim());
    let millis =
        || Some(u32::try_from(value("retry-after-ms")?.parse::<u64>().ok()?.div_ceil(1000)).unwrap_or(u32::MAX));
    let reset = |(name, text): &(&str, &str)| {
        let limit = name.strip_suffix("-reset")?;
        let is_left = value(&format!("{limit}-remaining")).is_some_and(|left| left.parse() != Ok(0_u64));
        let is_one = (limit.contains("ratelimit") || limit.contains("rate-limit")) && !is_left;
        if !is_one { None } else { reset_in(text.trim(), now_ms) }
    };
    let named = value("retry-after").and_then(|text| seconds(text, now_ms)).or_else(millis);
    let wait = named.or_else(|| headers.iter().filter_map(reset).max())?;
    Some(wait.min(u32::try_from(LONGEST.as_secs()).unwrap_or(u32::MAX)))
}

/// The seconds until a limit is over, from a number of seconds or a moment. A number that is no wait is a moment.
fn reset_in(text: &str, now_ms: u64) -> Option<u32> {
    match number(text) {
        Some(wait) if wait < LONGEST.as_secs() => u32::try_from(wait).ok(),
        _ => {
            let wait = Moment::read(text).ok()?.millis.saturating_sub(now_ms).div_ceil(1000);
            Some(u32::try_from(wait).unwrap_or(u32::MAX))
        }
    }
}

fn number(text: &str) -> Option<u64> {
    // Proxies join headers of one name by commas.
    let text = text.split(',').next().unwrap_or_default().trim();
    let text = text.strip_suffix('s').unwrap_or(text).trim_end();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let part = u64::from(fraction.bytes().any(|b| b != b'0'));
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().unwrap_or(LONGEST.as_secs()) };
    Some(whole.min(LONGEST.as_secs()) + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_in_every_form_rounded_up_and_bounded() {
        let now_ms = 1_798_761_599_250;
        for (text, wait) in [
            ("120", Some(120)),
            (" 1\t", Some(1)),
            ("007", Some(7)),
            ("2.0", Some(2)),
            ("0.5", Some(1)),
            (".5", Some(1)),
            ("2.", Some(2)),
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("59.999", Some(60)),
            ("2, 2", Some(2)),
            ("\"30\"", Some(30)),
            ("30s", Some(30)),
            ("5000000000", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("Fri, 01 Jan 2027 00:00:59 GMT", Some(60)),
            ("2027-01-01T00:00:59Z", Some(60)),
            ("Fri, 01 Jan 2027 00:00:00 GMT", Some(1)),
            ("Thu, 31 Dec 2026 00:00:00 GMT", Some(0)),
            ("Friday, 01-Jan-27 00:00:59 GMT", Some(60)),
            ("Fri Jan  1 00:00:59 2027", Some(60)),
            ("Sat, 01 Jan 2028 00:00:00 GMT", Some(86_400)),
            ("", None),
            (".", None),
            ("-1", None),
            ("1e3", None),
            ("NaN", None),
            ("later", None),
        ] {
            assert_eq!(seconds(text, now_ms), wait, "{text}");
        }
    }
    #[test]
    fn the_end_of_a_limit_is_read_where_no_wait_is_named() {
        let now_ms = 1_798_761_539_000;
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<u32>);
        let all: [Case<'_>; 18] = [
            (&[("retry-after", "7"), ("x-ratelimit-reset", "1798761599")], Some(7)),
            (&[("retry-after", "0.5")], Some(1)),
            (&[("retry-after", "soon"), ("x-ratelimit-reset", "1798761599")], Some(60)),
            (&[("retry-after-ms", "1500")], Some(2)),
            (&[("retry-after-ms", "99999999999")], Some(86_400)),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1798761599")], Some(60)),
            (&[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "1798761599")], None),
            (&[("x-ratelimit-reset", "1798761599000")], Some(60)),
            (&[("x-ratelimit-reset", "1798761598.5")], Some(60)),
            (&[("x-ratelimit-reset", "30")], Some(30)),
            (&[("ratelimit-reset", "30")], Some(30)),
            (&[("x-rate-limit-reset", "2026-12-31T23:59:59Z")], Some(60)),
            (
                &[
                    ("x-ratelimit-requests-remaining", "0"),
                    ("x-ratelimit-requests-reset", "1798761599000"),
                    ("x-ratelimit-complexity-remaining", "9000"),
                    ("x-ratelimit-complexity-reset", "1798765139000"),
                ],
                Some(60),
            ),
            (&[("x-ratelimit-reset", "1798761500")], Some(0)),
            (&[("x-ratelimit-reset", "1999999999")], Some(86_400)),
            (&[("x-ratelimit-reset", "never")], None),
            (&[("x-password-reset", "30")], None),
            (&[], None),
        ];
        for (headers, wait) in all {
            assert_eq!(of_headers(headers, now_ms), wait, "{headers:?}");
        }
    }
}
