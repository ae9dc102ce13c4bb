//! When something was written, or ends, as other systems tell it.

use super::draft::text_of;
use crate::schema::Input;
use crate::store::Timestamp;

/// Below this, a number counts seconds: as milliseconds it would be a time before March 1973.
const SECONDS_BELOW: u64 = 100_000_000_000;

/// A time as RFC 3339 writes it, or as milliseconds or seconds since 1970.
pub(super) fn moment(value: &Input) -> Option<Timestamp> {
    let text = text_of(value)?;
    if let Ok(number) = text.parse::<u64>() {
        let millis = if number < SECONDS_BELOW { number * 1000 } else { number };
        return Some(Timestamp::from_millis(millis));
    }
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_millisecond()).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_usually_written() {
        for (json, millis) in [
            ("\"2024-05-06T07:08:09.123Z\"", Some(1_714_979_289_123)),
            ("\"2024-05-06T09:08:09.123+02:00\"", Some(1_714_979_289_123)),
            ("1714979289123", Some(1_714_979_289_123)),
            ("\"1714979289123\"", Some(1_714_979_289_123)),
            ("1714979289", Some(1_714_979_289_000)),
            ("\"yesterday\"", None),
            ("\"1960-01-01T00:00:00Z\"", None),
            ("-5", None),
            ("true", None),
            ("18446744073709551615", Some(u64::MAX)),
        ] {
            let read = moment(&serde_json::from_str(json).unwrap());
            assert_eq!(read.map(Timestamp::as_millis), millis, "{json}");
        }
    }
}
