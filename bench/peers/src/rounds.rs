//! Figures of several rounds: medians with spread, and ratios within a round, so that a temporary slowdown of the
//! machine affects both sides of a ratio.

/// One figure of each round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    /// Adds the figure of a round.
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The middle one; of an even number, the mean of the two in the middle. `None` without any.
    pub(crate) fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        if sorted.len() % 2 == 1 {
            return Some(upper);
        }
        sorted.get((sorted.len() / 2).checked_sub(1)?).map(|lower| f64::midpoint(*lower, upper))
    }

    /// The lowest figure of all rounds.
    pub(crate) fn low(&self) -> Option<f64> {
        self.0.iter().copied().min_by(f64::total_cmp)
    }

    /// The highest figure of all rounds.
    pub(crate) fn high(&self) -> Option<f64> {
        self.0.iter().copied().max_by(f64::total_cmp)
    }

    /// The median ratio of each round's figure to another's figure of the same round. Rounds that only one of them has,
    /// or whose divisor is 0, are left out.
    pub(crate) fn ratio_to(&self, other: &Self) -> Option<f64> {
        let pairs = self.0.iter().zip(&other.0).filter(|(_, divisor)| **divisor != 0.0);
        Self(pairs.map(|(one, divisor)| one / divisor).collect()).median()
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series<const N: usize>(figures: [f64; N]) -> Series {
        figures.into_iter().collect()
    }

    #[test]
    fn the_median_does_not_depend_on_the_order_and_is_between_two_of_an_even_number() {
        for (figures, median) in [
            (series([3.0, 1.0, 2.0]), Some(2.0)),
            (series([4.0, 1.0, 3.0, 2.0]), Some(2.5)),
            (series([7.0, 7.0]), Some(7.0)),
            (series([5.0]), Some(5.0)),
            (series([]), None),
        ] {
            assert_eq!(figures.median(), median, "{figures:?}");
        }
    }

    #[test]
    fn the_spread_is_from_the_lowest_to_the_highest() {
        let figures = series([3.0, -1.0, 2.0]);
        assert_eq!((figures.low(), figures.high()), (Some(-1.0), Some(3.0)));
        assert_eq!((series([]).low(), series([]).high()), (None, None));
    }

    #[test]
    fn a_ratio_is_of_the_same_rounds() {
        // The second round was slow for both, so the ratio is the same.
        assert_eq!(series([10.0, 2.0, 12.0]).ratio_to(&series([5.0, 1.0, 6.0])), Some(2.0));
        assert_eq!(series([1.0, 2.0]).ratio_to(&series([4.0])), Some(0.25));
        assert_eq!(series([1.0]).ratio_to(&series([0.0])), None);
        assert_eq!(series([]).ratio_to(&series([1.0])), None);
    }
}
