//! Times as HTTP writes them.

/// Seconds since 1970-01-01T00:00:00Z of an HTTP date, in any of the three forms that RFC 9110, section 5.6.7 has a
/// recipient accept, and of one more.
pub(crate) fn parse_http_date(text: &str) -> Option<u64> {
    let tokens: Vec<&str> = text.split([' ', ',', '-']).filter(|token| !token.is_empty()).collect();
    let (day, month, year, clock) = match *tokens {
        // `Sun, 06 Nov 1994 08:49:37 GMT` and `Sunday, 06-Nov-94 08:49:37 GMT`
        [_, day, month, year, clock, "GMT"] => (day, month, year, clock),
        // `1994-11-06 08:49:37 UTC`, a fourth form, which some providers write.
        [year, month, day, clock, "UTC"] => (day, month, year, clock),
        // `Sun Nov  6 08:49:37 1994`
        [_, month, day, clock, year] => (day, month, year, clock),
        _ => return None,
    };
    let year = match (year.len(), year.parse::<u64>().ok()?) {
        (2, year @ ..70) => year + 2000,
        (2, year) => year + 1900,
        (_, year @ 1970..10_000) => year,
        _ => return None,
    };
    // Numbers are all read as `u64`: each further type is code in every plugin.
    let number = |month: &str| usize::try_from(month.parse::<u64>().ok()?.checked_sub(1)?).ok();
    let month = MONTHS.iter().position(|name| *name == month).or_else(|| number(month)).filter(|month| *month < 12)?;
    let day = day.parse::<u64>().ok().filter(|day| (1..=31).contains(day))?;
    let mut clock = clock.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if hour > 23 || minute > 59 || second > 60 || clock.next().is_some() {
        return None;
    }
    Some(((days_before(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days from 1970-01-01 to the first of a month (0 is January) of a year from 1970 on.
fn days_before(year: u64, month: usize) -> u64 {
    const BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let before = year - 1;
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let leaps = leap_days(before) - leap_days(1969);
    let leap_year = leap_days(year) > leap_days(before);
    let this_year = BEFORE_MONTH.get(month).copied().unwrap_or_default() + u64::from(leap_year && month > 1);
    (year - 1970) * 365 + leaps + this_year
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_forms_of_a_date_are_read() {
        let cases = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("1994-11-06 08:49:37 UTC", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 1_445_412_480),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_http_date(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_date_is_none() {
        for text in [
            "",
            "120",
            "soon",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
            "1994-13-06 08:49:37 UTC",
            "1994-11-06 08:49:37 CET",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37:01 GMT",
        ] {
            assert_eq!(parse_http_date(text), None, "{text}");
        }
    }
}
