use std::fmt;

use crate::script;

/// The language that a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Compiled by cargo, with the crate `keyferry-plugin`.
    Rust,
    /// Compiled by `@bytecodealliance/componentize-js`.
    #[value(name = "javascript")]
    JavaScript,
    /// Compiled by `componentize-py`.
    Python,
}

/// The kind of credential that a plugin starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AuthKind {
    /// Tokens that an OAuth 2.0 flow has issued.
    #[value(name = "oauth2")]
    OAuth2,
    /// A key that a person has copied out of the app's settings.
    #[value(name = "keybased")]
    KeyBased,
}

impl Language {
    /// The folder of its templates, and its name on the command line.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "javascript",
            Self::Python => "python",
        }
    }
}

impl Language {
    /// The command that installs what plugins in this language are built with, if `keyferry plugin build` does not do it.
    /// `folder` is the plugin's, as one word of a shell's.
    pub fn install(self, folder: &str) -> Option<String> {
        match self {
            Self::Rust => None,
            Self::JavaScript => Some(script::npm(folder)),
            Self::Python => Some(script::pip(folder)),
        }
    }
}

impl AuthKind {
    /// The folder of its templates, and the auth type's name in `auth_object`.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::OAuth2 => "oauth2",
            Self::KeyBased => "keybased",
        }
    }

    /// The field that holds the secret.
    pub(super) fn secret(self) -> &'static str {
        match self {
            Self::OAuth2 => "access_token",
            Self::KeyBased => "api_key",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
        })
    }
}

impl fmt::Display for AuthKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.folder())
    }
}
