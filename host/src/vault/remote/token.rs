//! Where the token of a transit engine comes from.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use zeroize::Zeroizing;

/// Where the token comes from. It is looked up for each call, so a file that is replaced counts from the next one on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// The environment variable of this name.
    Env(String),
    /// A file, such as an agent of the service writes.
    File(PathBuf),
}

/// A token has one line; what is longer is something else.
const LONGEST: u64 = 16 * 1024;

impl TokenSource {
    /// The token, marked as one that no log may show.
    ///
    /// # Errors
    /// What is wrong, without the token.
    pub(super) fn read(&self) -> Result<HeaderValue, String> {
        match self {
            Self::Env(name) => {
                let value = std::env::var_os(name).ok_or_else(|| format!("the variable {name} is not set"))?;
                header(&Zeroizing::new(value.into_encoded_bytes())).map_err(|problem| format!("{name} {problem}"))
            }
            Self::File(path) => {
                from_file(path).map_err(|problem| format!("the token file {} {problem}", path.display()))
            }
        }
    }
}

fn from_file(path: &Path) -> Result<HeaderValue, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize));
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    file.take(LONGEST).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    Ok(header(&bytes)?)
}

fn header(bytes: &[u8]) -> Result<HeaderValue, &'static str> {
    let token = bytes.trim_ascii();
    if token.is_empty() {
        return Err("is empty");
    }
    let mut value = HeaderValue::from_bytes(token).map_err(|_| "does not hold one line of text")?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_replaced_counts_at_once_and_an_unusable_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = TokenSource::File(path.clone());
        let missing = source.read().unwrap_err();
        assert!(missing.contains("token cannot be read"), "{missing}");
        for token in ["hvs.one", "hvs.two"] {
            std::fs::write(&path, format!("{token}\n")).unwrap();
            let read = source.read().unwrap();
            assert_eq!(read.as_bytes(), token.as_bytes());
            assert!(!format!("{read:?}").contains(token), "a log could show it");
        }
        for (content, problem) in [(" \n", "is empty"), ("hvs.a\nhvs.b", "does not hold one line")] {
            std::fs::write(&path, content).unwrap();
            let error = source.read().unwrap_err();
            assert!(error.contains(problem) && !error.contains("hvs"), "{error}");
        }
        let unset = TokenSource::Env("KEYFERRY_TEST_VARIABLE_THAT_NOBODY_SETS".to_owned());
        assert!(unset.read().unwrap_err().contains("is not set"));
    }
}
