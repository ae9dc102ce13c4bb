//! Files in the format of `~/.pgpass`: a line for each database, `host:port:database:user:password`.

use zeroize::Zeroizing;

/// The password of the first line that fits.
pub(super) fn password(text: &str, host: &str, port: u16, database: &str, user: &str) -> Option<Zeroizing<Vec<u8>>> {
    let wanted = [host, &port.to_string(), database, user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        for wanted in wanted {
            let (member, after) = member(rest)?;
            if rest.split(':').next() != Some("*") && *member != wanted.as_bytes() {
                return None;
            }
            rest = after?;
        }
        Some(member(rest)?.0)
    })
}

/// The next member of a line, in which a backslash precedes a colon or a backslash; and what follows the colon behind it.
fn member(line: &str) -> Option<(Zeroizing<Vec<u8>>, Option<&str>)> {
    let mut member = Zeroizing::new(Vec::with_capacity(line.len()));
    let mut bytes = line.bytes().enumerate();
    while let Some((place, byte)) = bytes.next() {
        match byte {
            b':' => return Some((member, line.get(place + 1..))),
            b'\\' => member.push(bytes.next()?.1),
            byte => member.push(byte),
        }
    }
    Some((member, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts_and_characters_can_be_escaped() {
        let text = "# a comment\nother:5432:k:kf:no\ndb:5432:k:kf:a\\:b\\\\c\n*:*:*:kf:any\nshort:line\n";
        let found = |host, user| password(text, host, 5432, "k", user).map(|password| password.to_vec());
        assert_eq!(found("db", "kf").as_deref(), Some(&b"a:b\\c"[..]));
        assert_eq!(found("elsewhere", "kf").as_deref(), Some(&b"any"[..]));
        assert_eq!(found("elsewhere", "someone"), None);
        assert_eq!(password("*:*:*:*:x", "h", 1, "d", "u").map(|p| p.to_vec()).as_deref(), Some(&b"x"[..]));
    }
}
