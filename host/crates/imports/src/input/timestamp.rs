//! Times of writes and expiries, in the notations of other systems.

use super::text::text_of;
use keyferry_schema::Input;
use keyferry_store::Timestamp;
use keyferry_types::moment::Moment;

/// A moment in any form that [`Moment::read`] knows.
pub(super) fn parse_timestamp(value: &Input) -> Option<Timestamp> {
    Moment::read(text_of(value)?).ok().map(|moment| Timestamp::from_millis(moment.millis))
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
            ("18446744073709551615", None),
        ] {
            let read = parse_timestamp(&serde_json::from_str(json).unwrap());
            assert_eq!(read.map(Timestamp::as_millis), millis, "{json}");
        }
    }
}
