//! [`QueuedRows`]: an app's rows that are not begun, in the order of the file; and single ones from anywhere in it, to find one
//! to which the provider responds.

use std::collections::{HashSet, VecDeque};

use super::row_worker::RowWorker;
use keyferry_store::{RowInput, StoreResult};

/// Rows that are read from the ledger at a time.
const READ_AT_ONCE: usize = 128;
/// Positions that are tried to find one row.
const LOOKS: u32 = 8;

/// The rows of one app that are not begun.
#[derive(Debug)]
pub(super) struct QueuedRows {
    /// Rows that were read from the ledger.
    ahead: VecDeque<RowInput>,
    /// The last row that was read, and the last one that was begun, in the order of the file.
    read: Option<u64>,
    begun: u64,
    /// Whether there is more to read.
    more: bool,
    /// Rows that were begun out of turn, of those that are yet to be read.
    taken: HashSet<u64>,
    /// The number of the file's last row, and the places that were looked at.
    last: u64,
    looks: u32,
}

impl QueuedRows {
    /// Creates the record for a file with this number of rows.
    pub(super) fn new(last: u64) -> Self {
        let (ahead, taken) = (VecDeque::new(), HashSet::new());
        Self { ahead, read: None, begun: 0, more: true, taken, last, looks: 0 }
    }

    /// Reads rows if none are left.
    pub(super) async fn fill(&mut self, worker: &RowWorker) -> StoreResult<()> {
        while self.more && self.ahead.is_empty() {
            let RowWorker { importer, record, slug, .. } = worker;
            let inputs = importer.store.queued_rows(record.key.id, slug, self.read, READ_AT_ONCE).await?;
            self.more = inputs.len() == READ_AT_ONCE;
            self.read = inputs.last().map(|input| input.number).or(self.read);
            self.ahead.extend(inputs.into_iter().filter(|input| !self.taken.remove(&input.number)));
        }
        Ok(())
    }

    /// Whether all are begun, as far as is known.
    pub(super) fn is_over(&self) -> bool {
        self.ahead.is_empty() && !self.more
    }

    /// The next one in the order of the file.
    pub(super) fn next(&mut self) -> Option<RowInput> {
        let input = self.ahead.pop_front()?;
        self.begun = input.number;
        Some(input)
    }

    /// A row from elsewhere in the file: from its end, its middle, its quarters and so on. `None` if none was found soon.
    pub(super) async fn elsewhere(&mut self, worker: &RowWorker) -> StoreResult<Option<RowInput>> {
        let RowWorker { importer, record, slug, .. } = worker;
        for _ in 0..LOOKS {
            let after = place(self.looks, self.begun, self.last);
            self.looks = self.looks.saturating_add(1);
            let found = importer.store.queued_rows(record.key.id, slug, Some(after), 1).await?;
            let Some(input) = found.into_iter().next() else { continue };
            if self.read.is_some_and(|read| input.number <= read) {
                // If it is not ahead, it was begun.
                if let Some(at) = self.ahead.iter().position(|ahead| ahead.number == input.number) {
                    return Ok(self.ahead.remove(at));
                }
            } else if self.taken.insert(input.number) {
                return Ok(Some(input));
            }
        }
        Ok(None)
    }
}

/// The next position to try between two rows: the row after it is tried.
///
/// Every other position is near the end, 1, 4, 16, 64 rows before it and so on: the rows that were added last. The others halve
/// the intervals between earlier ones (van der Corput's sequence).
fn place(look: u32, begun: u64, last: u64) -> u64 {
    let span = last.saturating_sub(begun);
    let step = look / 2;
    let back = 4_u64.checked_pow(step).filter(|back| *back <= span);
    match back {
        Some(back) if look.is_multiple_of(2) => last - back,
        _ => {
            // The bits of the step, mirrored at the point.
            let mirrored = u128::from((step + 1).reverse_bits());
            let into = (u128::from(span) * mirrored) >> u32::BITS;
            begun + u64::try_from(into).unwrap_or(span)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_comes_first_then_the_middle_and_soon_every_part_of_the_file() {
        let places: Vec<u64> = (0..8).map(|look| place(look, 0, 1000)).collect();
        assert_eq!(places, [999, 500, 996, 250, 984, 750, 936, 125]);
        for (begun, last) in [(0, 55), (45, 55), (0, 210), (5, 605), (1000, 1_000_000)] {
            let span = last - begun;
            let mut places: Vec<u64> = (0..128).map(|look| place(look, begun, last)).collect();
            assert!(places.iter().all(|place| (begun..last).contains(place)), "{begun} to {last}: {places:?}");
            places.sort_unstable();
            let widest = places.windows(2).map(|two| two[1] - two[0]).max().unwrap();
            assert!(widest <= span / 32 + 1, "{begun} to {last}: a part of {widest} rows is never looked at");
        }
        assert_eq!(place(3, 7, 7), 7, "nothing is left");
    }
}
