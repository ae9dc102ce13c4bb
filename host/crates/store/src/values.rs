//! Values that records share: times and ids as they are stored and shown, and the version that a write expects.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use keyferry_types::serde_text;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z. Shown as `2026-07-31T09:30:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// This moment, by the system's clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment this many milliseconds after 1970-01-01T00:00:00Z.
    pub fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn as_millis(self) -> u64 {
        self.0
    }

    /// As HTTP shows a moment (RFC 9110, 5.6.7): `Tue, 07 Nov 2023 08:03:27 GMT`.
    pub fn to_http_date(self) -> String {
        let moment = i64::try_from(self.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        moment.map_or_else(|| self.to_string(), |moment| moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    /// The moment that much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = i64::try_from(self.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        match moment {
            Some(moment) => moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").fmt(f),
            None => write!(f, "{} ms after 1970", self.0),
        }
    }
}

/// A record's id: 12 bytes, shown as 24 hex digits as MongoDB shows its own. The first 4 bytes are the second in which it
/// was made, the other 8 are random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 12]);

/// Text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 24 hex digits")]
pub struct MalformedObjectId;

impl ObjectId {
    /// A new one. Without random bytes from the operating system it is made of the time alone, in nanoseconds.
    pub fn generate() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut random = [0; 8];
        if getrandom::fill(&mut random).is_err() {
            random = (since.as_nanos() as u64).to_be_bytes();
        }
        let mut id = [0; 12];
        let (seconds, rest) = id.split_at_mut(4);
        seconds.copy_from_slice(&(since.as_secs() as u32).to_be_bytes());
        rest.copy_from_slice(&random);
        Self(id)
    }

    /// The id as its 12 bytes.
    pub fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// Calls a function with the id's text.
    fn with_text<T>(self, read: impl FnOnce(&str) -> T) -> T {
        let mut digits = [0; 24];
        // Two digits for each of the 12 bytes.
        let _ = hex::encode_to_slice(self.0, &mut digits);
        read(str::from_utf8(&digits).unwrap_or_default())
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = MalformedObjectId;
    fn from_str(text: &str) -> Result<Self, MalformedObjectId> {
        let mut id = [0; 12];
        hex::decode_to_slice(text, &mut id).map_err(|_| MalformedObjectId)?;
        Ok(Self(id))
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_text::deserialize(deserializer)
    }
}

/// What must be stored for a write to succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No record under that key.
    Absent,
    /// The record in this version.
    Version(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_with_milliseconds() {
        assert_eq!(Timestamp::from_millis(1_785_490_200_007).to_string(), "2026-07-31T09:30:00.007Z");
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(u64::MAX).to_string(), format!("{} ms after 1970", u64::MAX));
        assert_eq!(Timestamp::from_millis(1_699_344_207_999).to_http_date(), "Tue, 07 Nov 2023 08:03:27 GMT");
        assert_eq!(Timestamp::from_millis(5).after(Duration::from_secs(2)), Timestamp::from_millis(2005));
    }

    #[test]
    fn an_id_is_24_hex_digits_and_reads_back() {
        let id = ObjectId::generate();
        assert_eq!(id.to_string().len(), 24);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_ne!(id, ObjectId::generate());
        for text in ["", "xyz", &"0".repeat(23), &"0".repeat(26), &"g".repeat(24)] {
            assert!(text.parse::<ObjectId>().is_err(), "{text}");
        }
    }
}
