use std::io;
use std::path::PathBuf;

use keyferry_types::ids::{InvalidName, Slug};

use super::Language;
use keyferry_types::path_text::ShowPath as _;

/// Why there is no new plugin.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The given name is not a slug.
    #[error("{source}{}", .suggestion.as_ref().map(|slug| format!(". Try `keyferry plugin new {slug}`")).unwrap_or_default())]
    Slug {
        /// What is wrong with it.
        source: InvalidName,
        /// A slug that looks like it.
        suggestion: Option<Slug>,
    },
    /// A slug that the template's host `api.<slug>.example` could not have.
    #[error(
        "the new plugin asks api.{0}.example, and no host has that name. Choose a slug of at most 63 characters that does not end in `-`"
    )]
    NoHost(Slug),
    /// The slug that would give a package the SDK's name.
    #[error("keyferry-{0} is the name of the SDK. Choose another slug")]
    SdkName(Slug),
    /// The folder is not empty.
    #[error("{} is not empty. Name another folder with --dir, or empty it", .0.shown())]
    NotEmpty(PathBuf),
    /// There is a file in the folder's place.
    #[error("{} is a file. Name a folder that is empty or not there with --dir", .0.shown())]
    NotAFolder(PathBuf),
    /// This build of the binary has no template for the language.
    #[error("this keyferry holds no template for {0}. There is one for Rust: --lang rust")]
    NoTemplate(Language),
    /// What the binary carries does not fit together.
    #[error("this keyferry was built with a broken template: {0}")]
    Broken(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.shown())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

impl NewError {
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::File { path, source }
    }
}
