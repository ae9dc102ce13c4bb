//! Failed rows that only repeat other rows of the file: correcting them is of no use.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use sha2::{Digest as _, Sha256};

use super::ledger::FailedRow;
use keyferry_imports::input::{Original, Row};

/// Finds failed rows with the same content as another row.
pub(super) struct Repeats {
    /// The rows that others repeat, by number, and the digests of their content.
    first: HashMap<u64, [u8; 32]>,
    wanted: HashSet<u64>,
    written: HashSet<[u8; 32]>,
    pub(super) count: u64,
}

impl Repeats {
    pub(super) fn new(failed: &BTreeMap<u64, FailedRow>) -> Self {
        let wanted = failed.values().filter_map(FailedRow::repeats).collect();
        Self { first: HashMap::new(), wanted, written: HashSet::new(), count: 0 }
    }

    pub(super) fn wants(&self, number: u64) -> bool {
        self.wanted.contains(&number)
    }

    pub(super) fn is_repeated(
        &mut self,
        number: u64,
        about: Option<&FailedRow>,
        row: Option<&Row>,
        original: &Original<'_>,
    ) -> io::Result<bool> {
        let Some(digest) = digest(row, original)? else { return Ok(false) };
        if self.wants(number) {
            self.first.insert(number, digest);
        }
        let Some(about) = about else { return Ok(false) };
        let is_repeated = about.repeats().is_some_and(|first| self.first.get(&first) == Some(&digest))
            || !self.written.insert(digest);
        self.count += u64::from(is_repeated);
        Ok(is_repeated)
    }
}

/// A digest of a row's content; `None` for a row whose bytes were not kept.
fn digest(row: Option<&Row>, original: &Original<'_>) -> io::Result<Option<[u8; 32]>> {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    match (row, original) {
        (Some(row), _) => {
            part(row.account.as_str().as_bytes());
            part(row.slug.as_bytes());
            part(&row.auth_object.canonical());
            part(row.name.as_deref().unwrap_or_default().as_bytes());
            part(row.updated_at.map(|at| at.to_string()).unwrap_or_default().as_bytes());
        }
        (None, Original::Json(bytes)) => part(bytes.trim_ascii()),
        (None, Original::Record(cells)) => cells.iter().for_each(|cell| part(cell)),
        (None, Original::Lost) => return Ok(None),
    }
    Ok(Some(hash.finalize().into()))
}
