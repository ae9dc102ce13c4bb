//! Percent-encoding of path segments, queries and forms.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986. OAuth 1.0a (RFC 5849, 3.6) and AWS SigV4 sign this form, so
/// queries and forms are sent in it too.
pub(super) const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Everything but the `pchar` of RFC 3986, plus `;`, which some servers take for the beginning of a segment's parameters, and `*`,
/// which represents a hidden value in the path that grants are compared with.
pub(super) const SEGMENT: &AsciiSet = &STRICT
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Percent-encodes for queries, forms and signatures.
pub(super) fn strict(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, STRICT)
}

/// Percent-encodes one path segment.
pub(super) fn segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, SEGMENT)
}

/// Whether a text consists of what no reader of URLs changes: the characters that [`segment`] keeps, `/`, `*` and `%`.
pub(super) fn is_settled(text: &str) -> bool {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@/*%".contains(&byte);
    text.bytes().all(is_kept)
}
