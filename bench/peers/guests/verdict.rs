//! The work of both guests: read a short token, and check whether it has expired.

/// A parsed token: `<account>.<ends at, in ms>.<sum of the bytes before the last point>`.
pub struct Token<'a> {
    /// The account of the token.
    pub account: &'a str,
    /// When it ends, in milliseconds since 1970.
    pub ends_at_ms: u64,
}

/// Reads a token. `None` where it is malformed.
pub fn read(token: &str) -> Option<Token<'_>> {
    let (content, sum) = token.rsplit_once('.')?;
    let (account, ends_at) = content.rsplit_once('.')?;
    let counted: u32 = content.bytes().map(u32::from).sum();
    if account.is_empty() || sum.parse() != Ok(counted) {
        return None;
    }
    Some(Token { account, ends_at_ms: ends_at.parse().ok()? })
}
