//! The bytes of a file as they were sent: counted, hashed, and buffered in memory that is wiped.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// SHA-256 of a file's bytes as they were sent, packed or not: whether two imports are of the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentDigest([u8; 32]);

impl ContentDigest {
    /// The digest as bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Text that is not the 64 hexadecimal digits of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 hexadecimal digits")]
pub struct MalformedDigest;

impl FromStr for ContentDigest {
    type Err = MalformedDigest;
    fn from_str(text: &str) -> Result<Self, MalformedDigest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| MalformedDigest)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for ContentDigest {
    type Error = MalformedDigest;
    fn try_from(text: String) -> Result<Self, MalformedDigest> {
        text.parse()
    }
}

impl From<ContentDigest> for String {
    fn from(digest: ContentDigest) -> String {
        digest.to_string()
    }
}

/// Where a file's bytes come from, and what came.
struct Source<R> {
    reader: R,
    hasher: Sha256,
    bytes: u64,
    /// The source itself failed, rather than what unpacks its bytes.
    failed: bool,
}

/// A reader of the source. The decoder owns one clone, the caller that needs the digest another.
pub(super) struct Tap<R>(Arc<Mutex<Source<R>>>);

impl<R> Clone for Tap<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> Tap<R> {
    pub(super) fn new(reader: R) -> Self {
        Self(Arc::new(Mutex::new(Source { reader, hasher: Sha256::new(), bytes: 0, failed: false })))
    }

    /// Bytes that came so far.
    pub(super) fn count(&self) -> u64 {
        self.0.lock().bytes
    }

    /// Whether it was the source that failed.
    pub(super) fn has_failed(&self) -> bool {
        self.0.lock().failed
    }
}

impl<R: Read> Tap<R> {
    /// The digest of all bytes; unread bytes are read for it.
    pub(super) fn digest(mut self) -> io::Result<ContentDigest> {
        io::copy(&mut self, &mut io::sink())?;
        let hasher = std::mem::take(&mut self.0.lock().hasher);
        Ok(ContentDigest(hasher.finalize().into()))
    }
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut source = self.0.lock();
        let read = source.reader.read(out);
        match &read {
            Ok(count) => {
                source.hasher.update(out.get(..*count).unwrap_or_default());
                source.bytes += *count as u64;
            }
            Err(error) => source.failed |= error.kind() != io::ErrorKind::Interrupted,
        }
        read
    }
}

/// A buffered reader whose buffer is wiped when it is dropped.
pub(super) struct Buffered<R> {
    inner: R,
    buffer: Zeroizing<Vec<u8>>,
    from: usize,
    to: usize,
}

impl<R: Read> Buffered<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, buffer: Zeroizing::new(vec![0; CHUNK]), from: 0, to: 0 }
    }
}

impl<R: Read> BufRead for Buffered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.from >= self.to {
            match self.inner.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => (self.from, self.to) = (0, count.min(CHUNK)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.buffer.get(self.from..self.to).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.from = self.from.saturating_add(amount).min(self.to);
    }
}

impl<R: Read> Read for Buffered<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

/// The bytes of one row, up to a limit, in memory that is wiped, and grown by hand so that no shorter copy stays behind.
pub(super) struct RowBuffer {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
    overflown: bool,
}

impl RowBuffer {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::new()), limit, overflown: false }
    }

    /// Adds bytes. Those beyond the limit are dropped, and with them the whole row.
    pub(super) fn push(&mut self, more: &[u8]) {
        let length = self.bytes.len() + more.len();
        if self.overflown || length > self.limit {
            self.overflown = true;
            return;
        }
        if length > self.bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two().max(4096)));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(more);
    }

    /// Takes what fits, and says how much that is.
    pub(super) fn fill(&mut self, more: &[u8]) -> usize {
        let fitting = more.get(..self.limit - self.bytes.len().min(self.limit)).unwrap_or(more);
        self.push(fitting);
        fitting.len()
    }

    pub(super) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.overflown = false;
    }

    /// The row, unless it is larger than a row may be.
    pub(super) fn row(&self) -> Option<&[u8]> {
        (!self.overflown).then_some(self.bytes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_all_bytes_whoever_has_read_them() {
        let tap = Tap::new(&b"0123456789"[..]);
        let mut some = [0; 4];
        tap.clone().read_exact(&mut some).unwrap();
        assert_eq!(tap.count(), 4);
        let digest = tap.digest().unwrap();
        assert_eq!(digest.to_string(), "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("84d8".parse::<ContentDigest>(), Err(MalformedDigest));
    }

    #[test]
    fn a_row_that_outgrows_its_limit_keeps_nothing_more() {
        let mut buffer = RowBuffer::new(10);
        buffer.push(b"0123456789");
        assert_eq!(buffer.row(), Some(&b"0123456789"[..]));
        buffer.push(b"0");
        buffer.push(b"");
        assert_eq!(buffer.row(), None);
        buffer.clear();
        buffer.push(b"1");
        assert_eq!(buffer.row(), Some(&b"1"[..]));
    }
}
