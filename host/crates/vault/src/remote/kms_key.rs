//! The name of a key of AWS KMS.

use std::fmt;
use std::str::FromStr;

/// A key of AWS KMS: its ARN, its id, its alias, or the alias' ARN
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/find-cmk-id-arn.html>).
///
/// ```
/// use keyferry_vault::KmsKey;
/// let key: KmsKey = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap();
/// assert_eq!(key.region(), Some("eu-west-1"));
/// assert!("alias/keyferry".parse::<KmsKey>().unwrap().region().is_none());
/// assert!("keyferry".parse::<KmsKey>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey {
    text: String,
    /// Region of an ARN; `None` for an id or an alias.
    region: Option<String>,
    is_key_arn: bool,
}

/// Text that names no key of AWS KMS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key of AWS KMS is given by its ARN (`arn:aws:kms:eu-west-1:111122223333:key/...`), its alias (`alias/...`), or \
     its id (`1234abcd-12ab-34cd-56ef-1234567890ab`)"
)]
pub struct MalformedKmsKey;

impl KmsKey {
    /// The text that it was given by.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The region of an ARN.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The key's own ARN, where it was given by that: what stored roots name.
    #[cfg(any(test, feature = "aws-kms"))]
    pub(super) fn arn(&self) -> Option<&str> {
        self.is_key_arn.then_some(&self.text)
    }
}

impl FromStr for KmsKey {
    type Err = MalformedKmsKey;

    fn from_str(text: &str) -> Result<Self, MalformedKmsKey> {
        let word = |text: &str, more: &[u8]| {
            !text.is_empty()
                && text.len() <= 256
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || more.contains(&b))
        };
        let alias = |text: &str| text.strip_prefix("alias/").is_some_and(|name| word(name, b"_/"));
        if let Some(rest) = text.strip_prefix("arn:") {
            let parts: Vec<&str> = rest.splitn(5, ':').collect();
            let &[partition, "kms", region, account, resource] = parts.as_slice() else { return Err(MalformedKmsKey) };
            let is_key_arn = resource.strip_prefix("key/").is_some_and(|id| word(id, b""));
            let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            if !word(partition, b"") || !word(region, b"") || !is_account || !(is_key_arn || alias(resource)) {
                return Err(MalformedKmsKey);
            }
            return Ok(Self { text: text.to_owned(), region: Some(region.to_owned()), is_key_arn });
        }
        let id = text.strip_prefix("mrk-").unwrap_or(text);
        let is_id = id.len() >= 32 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        if !is_id && !alias(text) {
            return Err(MalformedKmsKey);
        }
        Ok(Self { text: text.to_owned(), region: None, is_key_arn: false })
    }
}

impl fmt::Display for KmsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_ways_to_name_a_key_are_told_apart() {
        let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let cases = [
            (arn, Some("eu-west-1"), Some(arn)),
            (
                "arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
                Some("cn-north-1"),
                None,
            ),
            ("arn:aws:kms:us-east-1:111122223333:alias/a_b/c-d", Some("us-east-1"), None),
            ("alias/keyferry", None, None),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", None, None),
            ("mrk-1234abcd12ab34cd56ef1234567890ab", None, None),
        ];
        for (text, region, arn) in cases {
            let key: KmsKey = text.parse().unwrap();
            assert_eq!((key.region(), key.to_string().as_str()), (region, text));
            assert_eq!(key.arn(), arn.or_else(|| text.contains(":key/").then_some(text)), "{text}");
        }
    }

    #[test]
    fn refuses_what_names_no_key() {
        for text in [
            "",
            "keyferry",
            "alias/",
            "alias/a b",
            "arn:aws:s3:::bucket",
            "arn:aws:kms:eu-west-1:111122223333:key/",
            "arn:aws:kms:eu-west-1:1111:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms::111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "https://kms.eu-west-1.amazonaws.com",
        ] {
            assert_eq!(text.parse::<KmsKey>(), Err(MalformedKmsKey), "{text}");
        }
    }
}
