//! Detection of a file's compression by its first bytes, and streaming decompression.

use std::io::{self, BufRead, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::compression::Compression;
use super::encoding::Utf8;
use super::error::ReadError;
use super::source::Buffered;

/// The number of bytes that distinguish formats.
const MAGIC: usize = 6;
/// The largest window of zstd, which is the memory that decompression takes. RFC 8878, 3.1.1.1.2 asks decoders for 8 MiB, and all
/// levels up to 19 stay below; `--ultra` and `--long` do not.
const ZSTD_WINDOW: u64 = 8 * 1024 * 1024;

/// Reads a file's content as UTF-8, decompressed if it is compressed.
pub(super) fn decompress<R: Read + Send + 'static>(
    mut file: R,
) -> Result<(Compression, Box<dyn BufRead + Send>), ReadError> {
    let mut magic = Vec::with_capacity(MAGIC);
    file.by_ref().take(MAGIC as u64).read_to_end(&mut magic).map_err(ReadError::Unreadable)?;
    let compression = match magic.as_slice() {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        // A frame, or one that is to be skipped and has a frame after it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        [b'P', b'K', 3, 4, ..] => return Err(ReadError::Unsupported("a ZIP archive or a spreadsheet")),
        // No column is called so.
        [b'<', ..] => return Err(ReadError::Unsupported("XML or HTML")),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => return Err(ReadError::Unsupported("packed by xz")),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41] => return Err(ReadError::Unsupported("packed by bzip2")),
        _ => Compression::Plain,
    };
    let file = Buffered::new(Cursor::new(magic).chain(file));
    Ok((
        compression,
        match compression {
            Compression::Plain => Box::new(Utf8::new(file)),
            Compression::Gzip => Box::new(Utf8::new(Buffered::new(MultiGzDecoder::new(file)))),
            Compression::Zstd => Box::new(Utf8::new(Buffered::new(Frames::new(file)))),
        },
    ))
}

/// The frames of a zstd file, one after the other.
struct Frames<R> {
    file: R,
    decoder: FrameDecoder,
    place: Place,
}

/// The position in a zstd file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a frame or at the end.
    Between,
    /// Within a compressed frame.
    Within,
    /// Behind an error, after which nothing is read.
    Broken,
}

impl<R: BufRead> Frames<R> {
    fn new(file: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW);
        Self { file, decoder, place: Place::Between }
    }

    /// Begins a frame, or skips one that holds no content.
    fn begin(&mut self) -> io::Result<Place> {
        match self.decoder.init(&mut self.file) {
            Ok(()) => Ok(Place::Within),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let length = u64::from(length);
                let skipped = io::copy(&mut self.file.by_ref().take(length), &mut io::sink())?;
                if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Place::Between) }
            }
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// Content of the frame; none at its end.
    fn content(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            self.decoder
                .decode_blocks(&mut self.file, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        let count = self.decoder.read(out)?;
        let told = self.decoder.get_checksum_from_data();
        if count == 0 && told.is_some() && told != self.decoder.get_calculated_checksum() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum does not match"));
        }
        Ok(count)
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.place, Place::Broken) {
                Place::Broken => return Err(io::ErrorKind::InvalidData.into()),
                Place::Between if self.file.fill_buf()?.is_empty() => {
                    self.place = Place::Between;
                    return Ok(0);
                }
                Place::Between => self.place = self.begin()?,
                Place::Within => {
                    let count = self.content(out)?;
                    self.place = if count > 0 { Place::Within } else { Place::Between };
                    if count > 0 {
                        return Ok(count);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn unpacked(bytes: Vec<u8>) -> Result<(Compression, Vec<u8>), String> {
        let (compression, mut content) = decompress(Cursor::new(bytes)).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        content.read_to_end(&mut out).map_err(|error| error.to_string())?;
        Ok((compression, out))
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(content: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn a_file_is_unpacked_by_what_its_first_bytes_say() {
        let text = "a row\n".repeat(100_000).into_bytes();
        assert_eq!(unpacked(text.clone()), Ok((Compression::Plain, text.clone())));
        assert_eq!(unpacked(gzip(&text)), Ok((Compression::Gzip, text.clone())));
        assert_eq!(unpacked(zstd(&text)), Ok((Compression::Zstd, text)));
        for short in [&b""[..], b"x", b"\x1f", b"\x28\xb5"] {
            assert_eq!(unpacked(short.to_vec()), Ok((Compression::Plain, short.to_vec())));
        }
    }

    #[test]
    fn members_and_frames_that_follow_each_other_are_one_file() {
        let twice = [gzip(b"one,"), gzip(b"two")].concat();
        assert_eq!(unpacked(twice).unwrap().1, b"one,two");
        let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(b"one,"), &zstd(b"two")].concat();
        assert_eq!(unpacked(skipped), Ok((Compression::Zstd, b"one,two".to_vec())));
    }

    #[test]
    fn what_is_cut_short_or_changed_is_broken() {
        let text: Vec<u8> = (0..50_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for packed in [gzip(&text), zstd(&text)] {
            assert!(unpacked(packed[..packed.len() - 9].to_vec()).is_err());
            let mut changed = packed.clone();
            let middle = changed.len() / 2;
            changed[middle] ^= 0x55;
            assert!(unpacked(changed).is_err());
        }
    }

    #[test]
    fn a_zstd_file_whose_unpacking_takes_much_memory_is_refused() {
        // A frame header with a window of 2^31 bytes, and an empty last block.
        let greedy = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (31 - 10) << 3, 1, 0, 0];
        assert!(unpacked(greedy).unwrap_err().contains("window"));
    }

    #[test]
    fn what_is_something_else_is_told_by_name() {
        let cases: [(&[u8], &str); 3] =
            [(b"PK\x03\x04....", "ZIP"), (b"\xfd7zXZ\x00...", "xz"), (b"BZh91AY&SY", "bzip2")];
        for (bytes, name) in cases {
            assert!(unpacked(bytes.to_vec()).unwrap_err().contains(name));
        }
    }
}
