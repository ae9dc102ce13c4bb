use std::error::Error;
use std::io;
use std::path::PathBuf;

use keyferry_types::ids::{InvalidName, Slug};
use keyferry_types::path_text::ShowPath as _;

/// Why a plugin could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no cargo, or it cannot be started.
    #[error(
        "`{program}` cannot be started. Install Rust from https://rustup.rs, make sure that `{program}` is on PATH, then try again"
    )]
    NoRust {
        /// The program that was started: `cargo` or `rustc`.
        program: &'static str,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A folder without a manifest.
    #[error(
        "{} is no plugin's folder: it has no Cargo.toml (Rust), package.json (JavaScript) or pyproject.toml (Python); \
         `keyferry plugin new` makes one",
        .0.shown()
    )]
    NoLanguage(PathBuf),
    /// An invalid manifest of a JavaScript or Python plugin.
    #[error("{}: {problem}", manifest.shown())]
    BadManifest {
        /// Path of the manifest.
        manifest: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A tool that another language needs is not there.
    #[error("{tool} is not there, and a plugin in {language} is built with it. Install it by: {install}")]
    NoTool {
        /// Name of the missing tool.
        tool: &'static str,
        /// Language of the plugin: `JavaScript` or `Python`.
        language: &'static str,
        /// Command that installs the tool.
        install: String,
    },
    /// A tool exited with an error.
    #[error("{tool} could not build {}: {said}", folder.shown())]
    Tool {
        /// Name of the tool.
        tool: &'static str,
        /// Folder of the plugin.
        folder: PathBuf,
        /// The last lines of the tool's output.
        said: String,
    },
    /// cargo cannot read a manifest.
    #[error("cargo cannot read {}: {said}", manifest.shown())]
    Manifest {
        /// Path of the manifest.
        manifest: PathBuf,
        /// Error message of cargo.
        said: String,
    },
    /// The output of cargo or rustc is not understood by this version.
    #[error("Keyferry does not understand the output of `{command}`: {said}")]
    UnknownOutput {
        /// The command whose output was not understood.
        command: &'static str,
        /// The part of its output that was not understood.
        said: String,
    },
    /// A manifest without a package of its own.
    #[error("{} describes no package. Name a plugin's folder, or use --all to build every plugin of the workspace", .0.shown())]
    NoPackage(PathBuf),
    /// A package that cannot be a plugin.
    #[error("{package} cannot become a plugin: {lacks} to {}", manifest.shown())]
    NotAPlugin {
        /// Name of the package.
        package: String,
        /// Path of the package's manifest.
        manifest: PathBuf,
        /// What the manifest lacks.
        lacks: &'static str,
    },
    /// A workspace without plugins.
    #[error("{} holds no plugin: no package under plugins/ is a cdylib that depends on keyferry-plugin", .0.shown())]
    NoPlugins(PathBuf),
    /// A package whose name, or `package.metadata.keyferry.slug`, is no slug.
    #[error(
        "{package} has no usable slug. Rename the package to keyferry-<slug>, or set `slug` under [package.metadata.keyferry]"
    )]
    Slug {
        /// Name of the package.
        package: String,
        /// What is wrong with it.
        source: InvalidName,
    },
    /// Two packages that would become the same file.
    #[error(
        "{first} and {second} are both called {slug}. Set another `slug` under [package.metadata.keyferry] of one of them"
    )]
    SameSlug {
        /// The slug that both packages have.
        slug: Slug,
        /// The package that comes first.
        first: String,
        /// The package that comes second.
        second: String,
    },
    /// The standard library for WebAssembly is not there, and adding it failed.
    #[error("Rust's target wasm32-unknown-unknown is not installed, and adding it failed ({said}). {remedy}")]
    NoTarget {
        /// Output of the command that failed.
        said: String,
        /// What the user can do about it.
        remedy: &'static str,
    },
    /// The plugin does not compile.
    #[error("cargo could not build {}; its messages are above", .0.join(", "))]
    Compile(Vec<String>),
    /// cargo built something, and no module is among it.
    #[error("cargo built {0}, but the build produced no .wasm file")]
    NoModule(String),
    /// The compiled module is not a plugin.
    #[error(
        "{package} compiled, but cannot become a component: it imports functions that are not of the plugin contract, or does not depend on keyferry-plugin"
    )]
    Component {
        /// Name of the package.
        package: String,
        /// What is wrong with the module.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A component that exports nothing a host could call.
    #[error("{0} compiled, but exports no plugin. Its lib.rs must end in `keyferry_plugin::export!(YourPlugin);`")]
    NoExport(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.shown())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

impl BuildError {
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::File { path, source }
    }
}
