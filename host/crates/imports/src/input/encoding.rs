//! [`Utf8`]: the text of a file as UTF-8, also where it is written in UTF-16, as spreadsheets and PowerShell export it.

use std::io::{self, BufRead, Read};

use zeroize::Zeroizing;

/// Bytes that UTF-16 is detected by.
const HEAD: usize = 4;
/// Replaces what is not UTF-16. It is not UTF-8 either, so that the row is refused for it.
const INVALID: u8 = 0xff;
/// Bytes that are converted at a time.
const CHUNK: usize = 16 * 1024;

/// A reader of UTF-8, which a text in UTF-16 is converted to. UTF-16 is known by its byte order mark, or by the zero bytes of
/// the ASCII characters that it begins with. The order mark is left in.
pub(super) struct Utf8<R> {
    inner: R,
    form: Form,
    /// In UTF-8: the bytes that the form was detected by. In UTF-16: converted text.
    ready: Zeroizing<Vec<u8>>,
    from: usize,
}

enum Form {
    Undetected,
    Utf8,
    Utf16(Wide),
}

/// A text in UTF-16, as far as it was read.
struct Wide {
    order: Order,
    /// The first byte of a unit.
    half: Option<u8>,
    /// The first unit of a pair.
    high: Option<u16>,
}

#[derive(Clone, Copy)]
enum Order {
    Big,
    Little,
}

impl<R: BufRead> Utf8<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, form: Form::Undetected, ready: Zeroizing::new(Vec::new()), from: 0 }
    }

    fn detect(&mut self) -> io::Result<()> {
        let mut head = Vec::with_capacity(HEAD);
        self.inner.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
        let order = match head.as_slice() {
            [0xff, 0xfe, ..] => Some(Order::Little),
            [0xfe, 0xff, ..] => Some(Order::Big),
            [a, 0, b, 0] if *a != 0 && *b != 0 => Some(Order::Little),
            [0, a, 0, b] if *a != 0 && *b != 0 => Some(Order::Big),
            _ => None,
        };
        match order {
            None => (self.form, self.ready) = (Form::Utf8, Zeroizing::new(head)),
            Some(order) => {
                let mut wide = Wide { order, half: None, high: None };
                // Three bytes at most for each unit, or none.
                self.ready = Zeroizing::new(Vec::with_capacity(CHUNK * 2 + HEAD));
                wide.convert(&head, &mut self.ready);
                self.form = Form::Utf16(wide);
            }
        }
        Ok(())
    }
}

impl Wide {
    fn convert(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            let unit = match (self.half.take(), self.order) {
                (None, _) => {
                    self.half = Some(byte);
                    continue;
                }
                (Some(first), Order::Big) => u16::from_be_bytes([first, byte]),
                (Some(first), Order::Little) => u16::from_le_bytes([first, byte]),
            };
            self.unit(unit, out);
        }
    }

    fn unit(&mut self, unit: u16, out: &mut Vec<u8>) {
        if let Some(high) = self.high.take() {
            match char::decode_utf16([high, unit]).next() {
                Some(Ok(c)) => return push(c, out),
                _ => out.push(INVALID),
            }
        }
        match char::decode_utf16([unit]).next() {
            Some(Ok(c)) => push(c, out),
            // The first unit of a pair; the second one alone is not valid.
            _ if unit < 0xdc00 => self.high = Some(unit),
            _ => out.push(INVALID),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.half.take().is_some() || self.high.take().is_some() {
            out.push(INVALID);
        }
    }
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

impl<R: BufRead> BufRead for Utf8<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if matches!(self.form, Form::Undetected) {
            self.detect()?;
        }
        while self.from >= self.ready.len() {
            let Form::Utf16(wide) = &mut self.form else { return self.inner.fill_buf() };
            let chunk = self.inner.fill_buf()?;
            let chunk = chunk.get(..CHUNK).unwrap_or(chunk);
            let length = chunk.len();
            self.ready.clear();
            self.from = 0;
            wide.convert(chunk, &mut self.ready);
            self.inner.consume(length);
            if length == 0 {
                wide.end(&mut self.ready);
                break;
            }
        }
        Ok(self.ready.get(self.from..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        if self.from < self.ready.len() {
            self.from = self.from.saturating_add(amount).min(self.ready.len());
        } else {
            self.inner.consume(amount);
        }
    }
}

impl<R: BufRead> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn converted(bytes: &[u8], room: usize) -> Vec<u8> {
        let mut out = Vec::new();
        Utf8::new(BufReader::with_capacity(room, bytes)).read_to_end(&mut out).unwrap();
        out
    }

    fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_text_in_utf_16_is_converted_and_any_other_stays() {
        let long = "linked_account_id;\u{e4}\u{20ac}\u{1f600}\r\n".repeat(4000);
        for text in ["\u{feff}a;b\r\n", "linked", "\u{feff}", &long, &format!("\u{feff}{long}")] {
            for room in [1, 2, 3, 7, 100_000] {
                assert_eq!(converted(&wide(text, u16::to_le_bytes), room), text.as_bytes());
                assert_eq!(converted(&wide(text, u16::to_be_bytes), room), text.as_bytes());
                assert_eq!(converted(text.as_bytes(), room), text.as_bytes());
            }
        }
        for bytes in [&b""[..], b"a", b"ab", b"\xff", b"\0\0\0\0", b"a\0", b"\xef\xbb\xbfa", b"\xffabc\xff"] {
            assert_eq!(converted(bytes, 3), bytes);
        }
    }

    #[test]
    fn what_is_not_utf_16_is_not_utf_8_afterwards() {
        for bytes in [&b"\xff\xfea\0b"[..], b"\xff\xfea\0\x00\xd8", b"\xff\xfe\x00\xdca\0", b"\xff\xfe\x00\xd8a\0"] {
            assert!(String::from_utf8(converted(bytes, 3)).is_err(), "{bytes:?}");
        }
    }
}
