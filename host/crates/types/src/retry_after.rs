//! `Retry-After` (RFC 9110, section 10.2.3), as servers write it: whole seconds, parts of a second, or a date.

use std::time::Duration;

use crate::moment::Moment;

/// The longest wait that a header can ask for. One that asks for more means another unit, or a moment.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a header's value asks to wait at that moment (milliseconds since 1970), in seconds rounded up and at most [`LONGEST`]. `None` where it says
/// nothing of the kind.
///
/// ```
/// use keyferry::retry_after::seconds;
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
}
