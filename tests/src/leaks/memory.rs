//! Searches the memory of a running process from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use aho_corasick::AhoCorasick;

use super::Searcher;
use crate::or_fail::OrFail as _;

/// Bytes per read.
const CHUNK: u64 = 1 << 20;
/// Bytes of a page, the unit of the kernel's page map.
const PAGE: u64 = 4096;
/// Bits of a page's entry: present in memory, or in swap.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

/// Why memory is not readable.
#[derive(Debug)]
pub enum MemoryError {
    /// This user lacks the right: it takes root, or `CAP_SYS_PTRACE`.
    NotAllowed,
    /// Another error.
    Io(io::Error),
}

impl From<io::Error> for MemoryError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::NotAllowed,
            _ => Self::Io(error),
        }
    }
}

/// A copy of a secret in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The canary's name.
    pub what: String,
    /// Its encoding.
    pub spelling: &'static str,
    /// Its address.
    pub address: u64,
    /// The kernel's name of the mapping: `[heap]`, `[stack]`, a file, or empty.
    pub mapping: String,
    /// The bytes around it, as far as they are printable.
    pub around: String,
}

impl fmt::Display for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, spelling, address, mapping, around } = self;
        write!(f, "{what} {spelling} at {address:x} {mapping}: {around}")
    }
}

/// The current writable memory of a process.
pub struct Memory {
    file: File,
    /// The pages that are present, with the name of their mapping.
    regions: Vec<(Range<u64>, String)>,
}

impl Memory {
    /// Opens that of a process.
    ///
    /// # Errors
    /// Where this user lacks the right, or the process has ended.
    pub fn of(pid: u32) -> Result<Self, MemoryError> {
        let file = File::open(format!("/proc/{pid}/mem"))?;
        let pagemap = File::open(format!("/proc/{pid}/pagemap"))?;
        let mut regions = Vec::new();
        for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
            let mut words = line.split_whitespace();
            let (Some(place), Some(rights)) = (words.next(), words.next()) else { continue };
            let name = words.nth(3).unwrap_or_default();
            let bounds = place.split_once('-').map(|(a, b)| (u64::from_str_radix(a, 16), u64::from_str_radix(b, 16)));
            if let (Some((Ok(from), Ok(to))), true) = (bounds, rights.starts_with("rw")) {
                regions.extend(present(&pagemap, from..to)?.into_iter().map(|region| (region, name.to_owned())));
            }
        }
        Ok(Self { file, regions })
    }

    /// The number of bytes to search.
    pub fn bytes(&self) -> u64 {
        self.regions.iter().map(|(region, _)| region.end - region.start).sum()
    }

    /// All copies of the searcher's canaries.
    pub fn search(&self, searcher: &Searcher) -> Vec<Copy> {
        let mut copies = BTreeMap::new();
        self.walk(searcher.longest() as u64, |at, bytes, mapping| {
            for found in searcher.find(bytes) {
                let address = at + found.at as u64;
                let copy = Copy {
                    what: found.canary,
                    spelling: found.spelling,
                    address,
                    mapping: mapping.to_owned(),
                    around: printable(bytes, found.at),
                };
                copies.insert(address, copy);
            }
        });
        copies.into_values().collect()
    }

    /// The addresses of these exact bytes.
    pub fn find(&self, needle: &[u8]) -> Vec<u64> {
        let automaton = AhoCorasick::new([needle]).or_fail("build the search");
        let mut found = BTreeSet::new();
        self.walk(needle.len() as u64, |at, bytes, _| {
            found.extend(automaton.find_iter(bytes).map(|place| at + place.start() as u64));
        });
        found.into_iter().collect()
    }

    /// Reads piece by piece; each piece overlaps the next.
    fn walk(&self, overlap: u64, mut look: impl FnMut(u64, &[u8], &str)) {
        let mut buffer = vec![0; (CHUNK + overlap) as usize];
        for (region, mapping) in &self.regions {
            let mut at = region.start;
            while at < region.end {
                let length = (region.end - at).min(CHUNK + overlap) as usize;
                // A mapping that the process has removed since then holds nothing.
                if let Some(piece) = buffer.get_mut(..length)
                    && self.file.read_exact_at(piece, at).is_ok()
                {
                    look(at, piece, mapping);
                }
                at += CHUNK;
            }
        }
    }
}

/// The pages of a mapping that are present: a runtime reserves much more than it uses.
fn present(pagemap: &File, mapping: Range<u64>) -> io::Result<Vec<Range<u64>>> {
    let mut regions: Vec<Range<u64>> = Vec::new();
    let mut entries = vec![0; (CHUNK / PAGE * 8) as usize];
    let mut at = mapping.start;
    while at < mapping.end {
        let pages = ((mapping.end - at) / PAGE).min(CHUNK / PAGE);
        let Some(entries) = entries.get_mut(..(pages * 8) as usize) else { break };
        pagemap.read_exact_at(entries, at / PAGE * 8)?;
        for (page, entry) in (at..).step_by(PAGE as usize).zip(entries.as_chunks::<8>().0) {
            if u64::from_le_bytes(*entry) & (PRESENT | SWAPPED) == 0 {
                continue;
            }
            match regions.last_mut() {
                Some(last) if last.end == page => last.end += PAGE,
                _ => regions.push(page..page + PAGE),
            }
        }
        at += pages * PAGE;
    }
    Ok(regions)
}

fn printable(bytes: &[u8], at: usize) -> String {
    let around = bytes.get(at.saturating_sub(48)..bytes.len().min(at + 80)).unwrap_or_default();
    around.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaks::Canary;

    /// Reads this process itself, which every user may.
    #[test]
    fn what_lies_in_memory_is_found_and_what_was_wiped_is_not() {
        let canary = Canary::plain("planted");
        let searcher = Searcher::new([&canary]);
        let mut planted = [b"....", canary.value().as_bytes()].concat();
        let place = planted.as_ptr() as u64;
        let found = Memory::of(std::process::id()).unwrap().search(&searcher);
        assert!(found.iter().any(|copy| (place..place + 100).contains(&copy.address)), "{found:?}");
        let needle = planted.clone();
        assert!(Memory::of(std::process::id()).unwrap().find(&needle).contains(&place));
        planted.fill(0);
        let found = Memory::of(std::process::id()).unwrap().search(&searcher);
        assert!(!found.iter().any(|copy| (place..place + 100).contains(&copy.address)), "{found:?}");
    }
}
