//! `keyferry plugin new`: creates a plugin from a template.

use std::path::PathBuf;

use clap::{Args, ValueEnum as _};
use serde_json::json;

use crate::cli::error::CliResult;
use crate::cli::exit::Exit;
use crate::cli::term;
use keyferry_devkit::{AuthKind, Created, Language, NewPlugin, new_plugin};
use keyferry_imports::input::shell_path;
use keyferry_types::path_text::ShowPath as _;

#[derive(Args)]
pub(in crate::cli) struct NewArgs {
    /// The app's name in URLs and requests: lower-case letters, digits and `-`.
    slug: String,
    /// The plugin's programming language.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    lang: Language,
    /// The auth type to start with.
    #[arg(long, value_enum, default_value_t = AuthKind::KeyBased)]
    auth: AuthKind,
    /// The new folder [default: the slug].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: NewArgs) -> CliResult {
    let NewArgs { slug, lang, auth, dir, json } = args;
    let created = new_plugin(&NewPlugin { slug, language: lang, auth, folder: dir })?;
    if json {
        let files: Vec<_> = created.files.iter().map(|file| file.shown().to_string()).collect();
        let language = lang.to_possible_value().map(|value| value.get_name().to_owned());
        let (auth, folder) = (auth.to_string(), created.folder.shown().to_string());
        term::print_json(
            &json!({ "slug": created.slug, "language": language, "auth": auth, "folder": folder, "files": files }),
        )?;
    } else {
        show(&created, lang, auth);
    }
    Ok(Exit::Done)
}

fn show(created: &Created, language: Language, auth: AuthKind) {
    let Created { slug, folder, files } = created;
    term::print(&format!("{slug}: a {language} plugin ({auth}) in {}", folder.shown()));
    let sdk = files.iter().filter(|path| path.starts_with("sdk")).count();
    for file in files.iter().filter(|path| !path.starts_with("sdk")) {
        term::print(&format!("  {}", file.shown()));
    }
    if sdk > 0 {
        term::print(&format!("  sdk/ ({sdk} files: the crate that it is written with)"));
    }
    let (folder, out) = (shell_path(folder), folder.join("build"));
    let component = out.join(format!("{slug}.wasm"));
    term::print("Next:");
    if let Some(install) = language.install(&folder) {
        term::print(&format!("  {install}"));
    }
    term::print(&format!("  keyferry plugin build {folder} --out {}", shell_path(&out)));
    term::print(&format!("  keyferry plugin check {}", shell_path(&component)));
    term::print(&format!("  keyferry plugin test {folder}"));
}
