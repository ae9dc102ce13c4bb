//! Durations as people write them: `200ms`, `2s`, `1m`.

use std::time::Duration;

/// A duration of at most a day.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let seconds = match unit.trim() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        _ => 0.0,
    };
    let duration = number.parse::<f64>().ok().and_then(|number| Duration::try_from_secs_f64(number * seconds).ok());
    match duration {
        Some(duration) if seconds > 0.0 && duration <= LONGEST => Ok(duration),
        _ => Err("write a number and a unit, such as 200ms, 2s or 1m; at most a day".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, milliseconds) in [("200ms", 200), ("2s", 2000), ("1.5 s", 1500), ("1m", 60_000), ("0s", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["200", "", "ms", "2h", "-1s", "1..5s", "1e9s", "100000m", "NaNs"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
