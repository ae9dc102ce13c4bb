//! [`Places`]: numbers in the order of commits, which no two hosts give.

use std::cell::Cell;

/// Bits below the microseconds, which count those of one of them.
const COUNT: u32 = 8;
/// Bits below all others, for the host.
const HOST: u32 = 4;

/// Gives numbers that rise. Each begins with the clock of the database as it was after its transaction had begun to see what others have
/// committed: what was committed before that has lower numbers, of whichever host.
///
/// Of a `u64`, the highest 52 bits are microseconds, which last until the year 2112.
#[derive(Debug)]
pub(super) struct Places {
    slot: u8,
    /// The number that was given last, without its host.
    last: Cell<u64>,
}

impl Places {
    pub(super) fn new(slot: u8) -> Self {
        Self { slot, last: Cell::new(0) }
    }

    /// Numbers from here on are not lower than this clock, in microseconds.
    pub(super) fn reached(&self, clock: u64) {
        self.last.set(self.last.get().max(clock << COUNT));
    }

    pub(super) fn next(&self) -> u64 {
        let next = self.last.get() + 1;
        self.last.set(next);
        (next << HOST) | u64::from(self.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_with_the_clock_and_where_it_is_set_back() {
        let places = Places::new(3);
        let mut given = Vec::new();
        for clock in [1_800_000_000_000_000, 1_800_000_000_000_000, 1_800_000_000_000_700, 1_799_999_999_000_000] {
            places.reached(clock);
            given.extend((0..300).map(|_| places.next()));
        }
        assert!(given.is_sorted_by(|a, b| a < b) && given.iter().all(|place| place % 16 == 3));
    }

    #[test]
    fn what_was_committed_before_has_lower_numbers_of_whichever_host() {
        let (first, second) = (Places::new(15), Places::new(0));
        first.reached(1_800_000_000_000_000);
        let before = first.next();
        second.reached(1_800_000_000_000_001);
        assert!(before < second.next());
        second.reached(1_800_000_000_000_000);
        assert_ne!(first.next(), second.next());
    }
}
