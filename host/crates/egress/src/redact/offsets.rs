//! [`Offsets`]: maps a decoded text back to its source.

use std::ops::Range;

use keyferry_types::zeroizing::Zeroizing;

/// A text that was decoded from another one, and the source of its bytes. It may hold secrets.
pub(super) struct Derived {
    pub(super) text: Zeroizing<Vec<u8>>,
    pub(super) offsets: Offsets,
}

/// The sources of bytes, in order. They hold no text.
#[derive(Default)]
pub(super) struct Offsets(Vec<Piece>);

struct Piece {
    /// Beginning of the piece in the decoded text.
    at: usize,
    /// Beginning of the piece in the source.
    source: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Each byte comes from one byte.
    Copied,
    /// All of it comes from this many bytes.
    Escape(usize),
    /// Three bytes of four characters.
    Base64,
}

impl Derived {
    /// An empty one. What is written to a buffer of this capacity is not copied by its growth, so that no copy stays behind.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { text: Zeroizing::new(Vec::with_capacity(capacity)), offsets: Offsets::default() }
    }

    /// Takes these bytes over as they are in the source.
    pub(super) fn copy(&mut self, source: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.offsets.copied(self.text.len(), source);
        self.text.extend_from_slice(bytes);
    }

    /// Writes what `length` bytes of the source stand for.
    pub(super) fn escape(&mut self, source: usize, length: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.offsets.0.push(Piece { at: self.text.len(), source, kind: Kind::Escape(length) });
        self.text.extend_from_slice(bytes);
    }

    /// Marks that the bytes that follow are decoded from base64 at `source`.
    pub(super) fn base64(&mut self, source: usize) {
        self.offsets.0.push(Piece { at: self.text.len(), source, kind: Kind::Base64 });
    }
}

impl Offsets {
    /// The byte at `at` is the one at `source`.
    pub(super) fn copied(&mut self, at: usize, source: usize) {
        let goes_on = self.0.last().is_some_and(|last| {
            last.kind == Kind::Copied && at.checked_sub(last.at) == source.checked_sub(last.source)
        });
        if !goes_on {
            self.0.push(Piece { at, source, kind: Kind::Copied });
        }
    }

    /// The bytes from `at` on stand for `length` bytes at `source`.
    pub(super) fn escaped(&mut self, at: usize, source: usize, length: usize) {
        self.0.push(Piece { at, source, kind: Kind::Escape(length) });
    }

    /// All bytes of the source that a range of what was made of it comes from.
    pub(super) fn source(&self, range: &Range<usize>) -> Range<usize> {
        let last = range.end.saturating_sub(1);
        let start = self.piece_of(range.start).map_or(0, |piece| match piece.kind {
            Kind::Copied => piece.source + (range.start - piece.at),
            Kind::Escape(_) => piece.source,
            Kind::Base64 => piece.source + (range.start - piece.at) * 8 / 6,
        });
        let end = self.piece_of(last).map_or(start, |piece| match piece.kind {
            Kind::Copied => piece.source + (last - piece.at) + 1,
            Kind::Escape(length) => piece.source + length,
            Kind::Base64 => piece.source + ((last - piece.at) * 8 + 8).div_ceil(6),
        });
        start..end
    }

    fn piece_of(&self, at: usize) -> Option<&Piece> {
        let after = self.0.partition_point(|piece| piece.at <= at);
        self.0.get(after.checked_sub(1)?)
    }
}
