//! [`PathPrefix`]: the paths that a grant covers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The beginning of a path, compared segment by segment: `/v1` covers `/v1` and `/v1/x`, not `/v10`; `/` covers all.
///
/// It is spelled as in a URL, with percent escapes for characters that are not allowed there. A `/` or `/*` at its end
/// means nothing and is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPrefix(
    /// Begins with `/` and does not end with one, or is empty and covers all.
    String,
);

/// A text that is not a path prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not a path prefix: {reason}")]
pub struct InvalidPathPrefix {
    shown: String,
    reason: &'static str,
}

impl PathPrefix {
    /// Whether a URL's path begins with this.
    pub fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for PathPrefix {
    type Err = InvalidPathPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPathPrefix> {
        parse(text).map_err(|reason| InvalidPathPrefix { shown: text.chars().take(80).collect(), reason })
    }
}

fn parse(text: &str) -> Result<PathPrefix, &'static str> {
    if !text.starts_with('/') {
        return Err("it must begin with `/`");
    }
    let text = text.strip_suffix("/*").unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.len() > 512 {
        return Err("it is longer than 512 characters");
    }
    for segment in text.split('/').skip(1) {
        if segment.is_empty() {
            return Err("a segment is empty");
        }
        if segment == "." || segment == ".." {
            return Err("a segment is `.` or `..`");
        }
        if !segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@%".contains(&b)) {
            return Err(
                "`*`, `?`, `#`, `;`, `\\`, spaces and letters beyond ASCII must be percent-encoded in a path prefix",
            );
        }
        let mut rest = segment;
        while let Some((_, after)) = rest.split_once('%') {
            match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                // Servers read these as the characters that have a meaning in a path.
                Some(b'.' | b'/' | b'\\' | b'%') => return Err("`.`, `/`, `\\` and `%` are not to be percent-encoded"),
                Some(_) if after.starts_with('+') => return Err("`%` is not followed by two hexadecimal digits"),
                Some(_) => rest = after,
                None => return Err("`%` is not followed by two hexadecimal digits"),
            }
        }
    }
    Ok(PathPrefix(text.to_owned()))
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

impl TryFrom<String> for PathPrefix {
    type Error = InvalidPathPrefix;
    fn try_from(text: String) -> Result<Self, InvalidPathPrefix> {
        text.parse()
    }
}

impl From<PathPrefix> for String {
    fn from(prefix: PathPrefix) -> String {
        prefix.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_whole_segments_only() {
        for (prefix, shown, covered, not_covered) in [
            ("/", "/", &["/", "/x", "/v1/x"][..], &[][..]),
            ("/*", "/", &["/", "/x"][..], &[][..]),
            ("/v1", "/v1", &["/v1", "/v1/", "/v1/x"][..], &["/", "/v", "/v10", "/v1x", "//v1", "/V1", "/x/v1"][..]),
            ("/v1/", "/v1", &["/v1", "/v1/x"][..], &["/v10"][..]),
            ("/v1/*", "/v1", &["/v1", "/v1/x"][..], &["/v10"][..]),
            ("/a/b", "/a/b", &["/a/b", "/a/b/c"][..], &["/a", "/a/bc", "/a%2Fb"][..]),
            ("/caf%C3%A9", "/caf%C3%A9", &["/caf%C3%A9/x"][..], &["/cafe"][..]),
        ] {
            let parsed: PathPrefix = prefix.parse().unwrap_or_else(|e| panic!("{prefix}: {e}"));
            assert_eq!(parsed.to_string(), shown);
            for path in covered {
                assert!(parsed.covers(path), "{prefix} {path}");
            }
            for path in not_covered {
                assert!(!parsed.covers(path), "{prefix} {path}");
            }
        }
    }

    #[test]
    fn refuses_what_servers_read_in_different_ways() {
        for text in [
            "", "v1", "//", "/v1//x", "//v1", "/..", "/v1/..", "/v1/../x", "/.", "/%2e%2e", "/%2E", "/a%2fb", "/a%5cb",
            "/a%252e", "/a?b", "/a#b", "/a;b", "/a\\b", "/a b", "/é", "/a%", "/a%2", "/a%zz", "/a%+1", "/a*", "/*/a",
            "/a\n",
        ] {
            assert!(text.parse::<PathPrefix>().is_err(), "{text}");
        }
    }
}
