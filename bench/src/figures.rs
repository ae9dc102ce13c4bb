//! Medians, spreads and ratios. Absolute times mean little on shared machines: the ratio of two
//! figures of the same round is what counts.

use std::fmt;

/// The figures of several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of at least one figure.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match (sorted.len() % 2, sorted.get(middle)) {
            (1, Some(median)) => *median,
            (0, Some(above)) => f64::midpoint(*sorted.get(middle.checked_sub(1)?)?, *above),
            _ => return None,
        };
        Some(Self { low: *sorted.first()?, median, high: *sorted.last()? })
    }

    /// `first / second`, each of the same round.
    pub(crate) fn of_ratios(first: &[f64], second: &[f64]) -> Option<Self> {
        Self::of(first.iter().zip(second).filter(|(_, second)| **second > 0.0).map(|(first, second)| first / second))
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} to {})", shown(self.median), shown(self.low), shown(self.high))
    }
}

/// Three significant digits, with separators of thousands.
pub(crate) fn shown(figure: f64) -> String {
    let size = figure.abs();
    if size >= 1000.0 {
        let whole = format!("{size:.0}");
        let mut text = String::new();
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        return if figure < 0.0 { format!("-{text}") } else { text };
    }
    let digits = if size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else {
        2
    };
    format!("{figure:.digits$}")
}

/// A count as a figure, with the precision of `f64`.
pub(crate) fn figure(count: u64) -> f64 {
    let (high, low) = (u32::try_from(count >> 32).unwrap_or(u32::MAX), count & u64::from(u32::MAX));
    f64::from(high) * 2_f64.powi(32) + f64::from(u32::try_from(low).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_not_cut_off_however_large_it_is() {
        for (count, expected) in
            [(0, 0.0), (1_000_000, 1e6), (u64::from(u32::MAX) + 1, 4_294_967_296.0), (1 << 53, 2_f64.powi(53))]
        {
            assert!((figure(count) - expected).abs() < 0.5, "{count}");
        }
    }

    #[test]
    fn the_median_is_the_middle_one_or_between_the_two() {
        let spread = |figures: &[f64]| Spread::of(figures.iter().copied()).map(|s| (s.low, s.median, s.high));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((1.0, 2.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some((1.0, 2.5, 4.0)));
        assert_eq!(spread(&[7.0]), Some((7.0, 7.0, 7.0)));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        // A machine that is twice as slow in the second round changes both figures, but not their ratio.
        let ratio = Spread::of_ratios(&[10.0, 20.0, 12.0], &[5.0, 10.0, 4.0]).unwrap();
        assert_eq!((ratio.low, ratio.median, ratio.high), (2.0, 2.0, 3.0));
        assert_eq!(Spread::of_ratios(&[1.0], &[0.0]), None);
    }

    #[test]
    fn a_figure_has_three_digits_that_mean_something() {
        let cases =
            [(0.1234, "0.12"), (12.345, "12.3"), (123.45, "123"), (1234.5, "1,234"), (1_234_567.0, "1,234,567")];
        for (figure, text) in cases {
            assert_eq!(shown(figure), text);
        }
        assert_eq!(shown(-2500.0), "-2,500");
    }
}
