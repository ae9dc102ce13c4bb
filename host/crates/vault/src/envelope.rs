//! The stored form of sealed values: parsing and writing an envelope, without any cipher.
//!
//! ```text
//! "KFE" | version u8 = 1 | suite u8 | key id u32 | salt 32 | commitment 32 | n u8 | n x ( length u8, name | length u32, sealed )
//! ```
//! Numbers are big-endian. A sealed value ends in its 16-byte tag. Every deviation is refused: another version or
//! suite, a length that does not fit, a name twice, bytes left over.

use keyferry_types::zeroizing::Zeroizing;

use super::key_id::KeyId;
use keyferry_types::ids::FieldName;

/// The first bytes of each envelope.
pub(super) const MAGIC: &[u8; 3] = b"KFE";
/// The one layout there is.
pub(super) const VERSION: u8 = 1;
/// Length of a salt and of a commitment, in bytes.
pub(super) const BLOCK: usize = 32;
/// Length of an authentication tag, in bytes.
pub(super) const TAG: usize = 16;
/// Bytes of a field beside its name and its value: two lengths and the tag.
pub(super) const FIELD_OVERHEAD: usize = 1 + 4 + TAG;
/// Maximum number of fields in an envelope.
pub(super) const MAX_FIELDS: usize = 64;
/// Bytes of the envelope of a credential: with the rest of its record it fits the 64 KiB that stores allow.
pub(super) const MAX_BYTES: usize = 48 * 1024;
/// Bytes of the envelope of an import's row. Its record holds less beside it, so that a credential of the greatest size fits
/// together with the names that a row has around it.
pub(super) const MAX_ROW_BYTES: usize = 60 * 1024;

/// Which primitives seal. The server chooses; what a blob says is only compared with that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suite {
    /// HKDF-SHA256 for key and commitment, AES-256-GCM for values.
    HkdfSha256Aes256Gcm,
}

impl Suite {
    pub(super) fn id(self) -> u8 {
        match self {
            Self::HkdfSha256Aes256Gcm => 1,
        }
    }
}

/// The suite that this server seals with and the only one that it opens.
pub(super) const SUITE: Suite = Suite::HkdfSha256Aes256Gcm;

/// Bytes that are no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Another kind of data.
    #[error("these bytes are not a sealed envelope")]
    NotAnEnvelope,
    /// Made by another version of the format.
    #[error(
        "the envelope has version {found} and this Keyferry reads version {VERSION}: run the Keyferry that wrote it, or a newer one"
    )]
    Version {
        /// The version it names.
        found: u8,
    },
    /// Sealed with primitives that this server does not use.
    #[error("the envelope was sealed with suite {found} and this server uses suite {} only", SUITE.id())]
    Suite {
        /// The suite it names.
        found: u8,
    },
    /// The bytes are not a complete, well-formed envelope.
    #[error("the envelope is damaged: {problem}")]
    Malformed {
        /// The first part that does not fit the format.
        problem: &'static str,
    },
}

/// One sealed version of a record: well-formed bytes, and nothing plain in them but the names of the fields.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope(Vec<u8>);

impl Envelope {
    /// Checks the form of stored bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, EnvelopeError> {
        let bytes = bytes.into();
        Parsed::read(&bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes to store.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The root that it is sealed under.
    pub fn key_id(&self) -> KeyId {
        KeyId::new(Reader(self.0.get(5..).unwrap_or_default()).u32().unwrap_or_default())
    }

    /// The names of the fields, in the order in which they were sealed. They are not secret.
    pub fn field_names(&self) -> Result<Vec<FieldName>, EnvelopeError> {
        Ok(self.parts()?.fields.into_iter().map(|(name, _)| name).collect())
    }

    pub(super) fn parts(&self) -> Result<Parsed<'_>, EnvelopeError> {
        Parsed::read(&self.0)
    }
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Envelope(key {})", self.key_id())
    }
}

/// The members of an envelope, borrowed from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed<'a> {
    pub(super) key_id: KeyId,
    pub(super) salt: &'a [u8],
    pub(super) commitment: &'a [u8],
    pub(super) fields: Vec<(FieldName, &'a [u8])>,
}

impl<'a> Parsed<'a> {
    /// Reads an envelope, all of it and nothing but it.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let malformed = |problem| EnvelopeError::Malformed { problem };
        let mut rest = Reader(bytes);
        if rest.take(MAGIC.len()) != Some(MAGIC.as_slice()) {
            return Err(EnvelopeError::NotAnEnvelope);
        }
        let cut = || malformed("it ends too early");
        match rest.u8().ok_or_else(cut)? {
            VERSION => {}
            found => return Err(EnvelopeError::Version { found }),
        }
        match rest.u8().ok_or_else(cut)? {
            id if id == SUITE.id() => {}
            found => return Err(EnvelopeError::Suite { found }),
        }
        if bytes.len() > MAX_ROW_BYTES {
            return Err(malformed("it is too long"));
        }
        let key_id = KeyId::new(rest.u32().ok_or_else(cut)?);
        let salt = rest.take(BLOCK).ok_or_else(cut)?;
        let commitment = rest.take(BLOCK).ok_or_else(cut)?;
        let count = usize::from(rest.u8().ok_or_else(cut)?);
        // An empty one would open anywhere: only fields carry tags.
        if count == 0 {
            return Err(malformed("it has no fields"));
        }
        if count > MAX_FIELDS {
            return Err(malformed("it has too many fields"));
        }
        let mut fields: Vec<(FieldName, &[u8])> = Vec::with_capacity(count);
        for _ in 0..count {
            let length = usize::from(rest.u8().ok_or_else(cut)?);
            let name = rest.take(length).ok_or_else(cut)?;
            let name: FieldName = std::str::from_utf8(name)
                .ok()
                .and_then(|name| name.parse().ok())
                .ok_or_else(|| malformed("a field's name is not one"))?;
            let length = usize::try_from(rest.u32().ok_or_else(cut)?).map_err(|_| cut())?;
            let sealed = rest.take(length).ok_or_else(cut)?;
            if sealed.len() < TAG {
                return Err(malformed("a value is shorter than its tag"));
            }
            if fields.iter().any(|(other, _)| *other == name) {
                return Err(malformed("a field is there twice"));
            }
            fields.push((name, sealed));
        }
        if !rest.0.is_empty() {
            return Err(malformed("something follows its end"));
        }
        Ok(Self { key_id, salt, commitment, fields })
    }

    /// Writes an envelope of fields that are sealed. `None` where a count or a name does not fit the form.
    #[cfg(test)]
    pub(super) fn write(&self) -> Option<Envelope> {
        let length = length_of(self.fields.iter().map(|(name, sealed)| (name, sealed.len() - TAG.min(sealed.len()))));
        let mut writer = Writer::begin(length, self.key_id, self.salt, self.commitment, self.fields.len())?;
        for (name, sealed) in &self.fields {
            writer.name(name, sealed.len())?;
            writer.0.extend_from_slice(sealed);
        }
        Some(writer.end())
    }
}

/// An envelope that is being written, in one buffer that holds a value in plain while that is sealed.
pub(super) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// Begins an envelope of this length. `None` where it has more fields than the form allows.
    pub(super) fn begin(length: usize, key_id: KeyId, salt: &[u8], commitment: &[u8], fields: usize) -> Option<Self> {
        let count = u8::try_from(fields).ok()?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[VERSION, SUITE.id()]);
        bytes.extend_from_slice(&key_id.get().to_be_bytes());
        bytes.extend_from_slice(salt);
        bytes.extend_from_slice(commitment);
        bytes.push(count);
        Some(Self(bytes))
    }

    /// Appends a field, whose value `seal` overwrites where it stands and returns the tag of. `None` where name or value are too
    /// long for the form, or `seal` fails.
    pub(super) fn field(
        &mut self,
        name: &FieldName,
        value: &[u8],
        seal: impl FnOnce(&mut [u8]) -> Option<[u8; TAG]>,
    ) -> Option<()> {
        self.name(name, value.len() + TAG)?;
        let start = self.0.len();
        self.0.extend_from_slice(value);
        let tag = seal(self.0.get_mut(start..)?)?;
        self.0.extend_from_slice(&tag);
        Some(())
    }

    /// Appends a name, and the length of the sealed value that follows.
    fn name(&mut self, name: &FieldName, sealed: usize) -> Option<()> {
        let name = name.as_str().as_bytes();
        self.0.push(u8::try_from(name.len()).ok()?);
        self.0.extend_from_slice(name);
        self.0.extend_from_slice(&u32::try_from(sealed).ok()?.to_be_bytes());
        Some(())
    }

    /// The envelope.
    pub(super) fn end(mut self) -> Envelope {
        Envelope(std::mem::take(&mut *self.0))
    }
}

/// Bytes of an envelope with fields of these names, whose plain values have these lengths.
pub(super) fn length_of<'a>(fields: impl Iterator<Item = (&'a FieldName, usize)>) -> usize {
    let sealed: usize = fields.map(|(name, value)| name.as_str().len() + value + FIELD_OVERHEAD).sum();
    MAGIC.len() + 2 + 4 + 2 * BLOCK + 1 + sealed
}

/// The bytes that are left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Vec<u8> {
        let parts = Parsed {
            key_id: KeyId::new(7),
            salt: &[1; BLOCK],
            commitment: &[2; BLOCK],
            fields: vec![("a".parse().unwrap(), &[3; TAG]), ("b_2".parse().unwrap(), &[4; 40])],
        };
        parts.write().unwrap().into_bytes()
    }

    #[test]
    fn names_its_root() {
        assert_eq!(Envelope::from_bytes(sample()).unwrap().key_id(), KeyId::new(7));
    }

    #[test]
    fn refuses_whatever_deviates() {
        let with = |place: usize, byte: u8| {
            let mut bytes = sample();
            bytes[place] = byte;
            bytes
        };
        let twice = {
            let mut bytes = sample();
            // "b_2" -> "a" is made of two fields with the same name and value.
            bytes.truncate(73);
            bytes.push(2);
            for _ in 0..2 {
                bytes.extend_from_slice(&[1, b'a', 0, 0, 0, 16]);
                bytes.extend_from_slice(&[0; 16]);
            }
            bytes
        };
        let cases: [(Vec<u8>, &str); 11] = [
            (Vec::new(), "not a sealed envelope"),
            (b"KFX\x01\x01".to_vec(), "not a sealed envelope"),
            (with(3, 2), "version 2"),
            (with(4, 0), "suite 0"),
            (with(73, 0), "no fields"),
            (with(73, 1), "something follows"),
            (with(73, 3), "ends too early"),
            (with(73, 65), "too many fields"),
            (with(75, b'-'), "name"),
            ([sample(), vec![0]].concat(), "something follows"),
            (twice, "twice"),
        ];
        for (bytes, expected) in cases {
            let error = Envelope::from_bytes(bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} / {expected}");
        }
        for length in 0..sample().len() {
            assert!(Envelope::from_bytes(&sample()[..length]).is_err(), "cut to {length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_writes_back_alike(tail in prop::collection::vec(any::<u8>(), 0..300), headed: bool) {
            let bytes = if headed { [b"KFE\x01\x01".as_slice(), &tail].concat() } else { tail };
            if let Ok(parts) = Parsed::read(&bytes) {
                prop_assert_eq!(parts.write().unwrap().into_bytes(), bytes);
            }
        }

        #[test]
        fn what_is_written_reads_back(
            key_id: u32,
            salt in prop::array::uniform32(any::<u8>()),
            commitment in prop::array::uniform32(any::<u8>()),
            fields in prop::collection::btree_map("[a-z_]{1,64}", prop::collection::vec(any::<u8>(), TAG..200), 1..20),
        ) {
            let parts = Parsed {
                key_id: KeyId::new(key_id),
                salt: &salt,
                commitment: &commitment,
                fields: fields.iter().map(|(name, value)| (name.parse().unwrap(), value.as_slice())).collect(),
            };
            let envelope = parts.write().unwrap();
            prop_assert_eq!(envelope.parts().unwrap(), parts);
        }

        #[test]
        fn an_envelope_with_one_changed_byte_never_panics(place in 0_usize..160, byte: u8) {
            let mut bytes = sample();
            if let Some(target) = bytes.get_mut(place) { *target = byte; }
            let _ = Envelope::from_bytes(bytes);
        }
    }
}
