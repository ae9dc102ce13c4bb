//! [`KeyId`]: the number of a root within its organisation.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of a root within its organisation. Roots are numbered upwards from [`KeyId::FIRST`]; the highest one seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(u32);

impl KeyId {
    /// The id of an organisation's first root.
    pub const FIRST: Self = Self(1);

    /// The root with this number.
    pub fn new(number: u32) -> Self {
        Self(number)
    }

    /// The key id as an integer.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The id that a rotation gives to the next root; `None` after 4,294,967,295 of them.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl From<u32> for KeyId {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl From<KeyId> for u32 {
    fn from(id: KeyId) -> u32 {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
