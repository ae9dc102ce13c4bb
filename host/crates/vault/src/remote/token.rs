//! [`TokenSource`]: where a transit engine's token is read from.

use std::path::{Path, PathBuf};

use http::HeaderValue;
use zeroize::Zeroizing;

use keyferry_types::bounded_file::{self, LINE, is_obstructed};
use keyferry_types::path_text::ShowPath as _;

/// Source of the token. It is read for each call, so a replaced file takes effect with the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// The environment variable of this name.
    Env(String),
    /// A file, such as an agent of the service writes.
    File(PathBuf),
}

/// The reason why the token cannot be read.
pub(super) struct TokenProblem {
    /// What is wrong, without the token.
    pub(super) problem: String,
    /// Whether the file hangs, or something else is in its place: a token that was read before stays valid.
    pub(super) is_obstructed: bool,
}

impl From<String> for TokenProblem {
    fn from(problem: String) -> Self {
        Self { problem, is_obstructed: false }
    }
}

impl TokenSource {
    /// The token, marked as one that no log may show.
    ///
    /// # Errors
    /// What is wrong, without the token.
    pub(super) async fn read(&self) -> Result<HeaderValue, TokenProblem> {
        match self {
            Self::Env(name) => {
                let value = std::env::var_os(name).ok_or_else(|| format!("the variable {name} is not set"))?;
                Ok(header(&Zeroizing::new(value.into_encoded_bytes()))
                    .map_err(|problem| format!("{name} {problem}"))?)
            }
            Self::File(path) => from_file(path).await,
        }
    }

    /// The token file and its permission bits, if others than its owner can read it. `None` also if there is no such
    /// file or it cannot be read.
    pub(crate) async fn exposed(&self) -> Option<(&Path, u32)> {
        let Self::File(path) = self else { return None };
        let file = bounded_file::read_apart(path, LINE).await.ok()?;
        file.is_exposed().then_some((path.as_path(), file.mode))
    }
}

async fn from_file(path: &Path) -> Result<HeaderValue, TokenProblem> {
    let at = format!("the token file {}", path.shown());
    let file = bounded_file::read_apart(path, LINE).await.map_err(|error| TokenProblem {
        problem: format!("{at} cannot be read: {error}"),
        is_obstructed: is_obstructed(&error),
    })?;
    Ok(header(&file.bytes).map_err(|problem| format!("{at} {problem}"))?)
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

    #[tokio::test]
    async fn a_file_that_is_replaced_counts_at_once_and_an_unusable_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = TokenSource::File(path.clone());
        let missing = source.read().await.err().unwrap().problem;
        assert!(missing.contains("token cannot be read"), "{missing}");
        for token in ["hvs.one", "hvs.two"] {
            std::fs::write(&path, format!("{token}\n")).unwrap();
            let read = source.read().await.ok().unwrap();
            assert_eq!(read.as_bytes(), token.as_bytes());
            assert!(!format!("{read:?}").contains(token), "a log could show it");
        }
        for (content, problem) in [(" \n", "is empty"), ("hvs.a\nhvs.b", "does not hold one line")] {
            std::fs::write(&path, content).unwrap();
            let error = source.read().await.err().unwrap().problem;
            assert!(error.contains(problem) && !error.contains("hvs"), "{error}");
        }
        let unset = TokenSource::Env("KEYFERRY_TEST_VARIABLE_THAT_NOBODY_SETS".to_owned());
        assert!(unset.read().await.err().unwrap().problem.contains("is not set"));
    }
}
