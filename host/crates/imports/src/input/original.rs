//! [`Original`]: a row as it is in its file, to be written down again.

/// The member that holds the text of a row that is not JSON, in files of failed rows. A row with this member and none but such of
/// Keyferry's own is read from it.
pub const SOURCE_MEMBER: &str = "keyferry_source";

/// A row as it is in its file.
pub enum Original<'a> {
    /// The bytes of a row of NDJSON or of another JSON text.
    Json(&'a [u8]),
    /// The cells of a record of CSV. They are those of the whole record unless a quote in it is not closed.
    Record(Vec<&'a [u8]>),
    /// Nothing of it was kept: it is too large, or the reader has not read any.
    Lost,
}
