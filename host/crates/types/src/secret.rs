//! [`Secret`]: a plain value that cannot be printed, serialized, cloned or compared by accident, and is wiped when dropped.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use crate::zeroizing::Clear as _;

/// A credential value in plain: a field of an `auth_object`, a minted token.
///
/// It has no `Display` and no `Serialize`, its `Debug` is `***`, and its memory is zeroed when the last owner drops it.
/// Reading it takes the word [`expose`](Secret::expose), which is easy to search for.
///
/// ```
/// let token = keyferry_types::secret::Secret::new("s3cr3t");
/// assert_eq!(format!("{token:?}"), "***");
/// assert_eq!(token.expose(), "s3cr3t");
/// ```
pub struct Secret(SecretString);

/// A secret that a call's tables and requests own together. Cloning it copies a pointer, never the value.
pub type SharedSecret = Arc<Secret>;

impl Secret {
    /// Takes a value over. A `String` with spare capacity is copied into an exact allocation, and the old one is wiped.
    pub fn new(value: impl Into<String>) -> Self {
        let mut value: String = value.into();
        if value.capacity() == value.len() {
            return Self(SecretString::from(value));
        }
        let exact = Self(SecretString::from(value.as_str()));
        value.clear_all();
        exact
    }

    /// The value itself. Keep it as short as possible and never format it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Length of the secret in bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether the value is the empty string.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    fn is_wiped<T: ZeroizeOnDrop>(_: &T) {}

    #[test]
    fn a_secret_is_wiped_and_prints_as_stars() {
        let secret = Secret::new("s3cr3t");
        is_wiped(&secret.0);
        assert_eq!(format!("{secret:?}"), "***");
    }
}
