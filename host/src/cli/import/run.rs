//! `keyferry import`: sends each file, follows the import, and writes its failed rows down.

use std::path::{Path, PathBuf};

use http::Method;
use serde_json::Value;

use super::args::ImportArgs;
use super::failures::{self, Written};
use super::follow::follow;
use super::interrupt::{continues, not_sent, note, unless_interrupted};
use super::progress;
use super::source::{self, Identities};
use super::summary::{self, exit, lacks_accounts};
use super::upload::{Resend, upload};
use crate::cli::api_client::ApiClient;
use crate::cli::error::CliResult;
use crate::cli::exit::Exit;
use crate::cli::members::text;
use crate::cli::term;
use keyferry_imports::input::ReadOptions;
use keyferry_types::path_text::ShowPath as _;

pub(in crate::cli) async fn run(args: ImportArgs) -> CliResult {
    let mapping = args.mapping()?;
    if args.failures.is_some() && args.files.len() > 1 {
        return Err("--failures names one file, and there are several to import: import them one by one".into());
    }
    if let Some(path) = args.failures.as_deref().filter(|path| args.files.iter().any(|file| is_same(path, file))) {
        return Err(format!("--failures {} is the file that is imported; name another one", path.shown()).into());
    }
    let client = ApiClient::new(&args.server)?;
    let reading = ReadOptions { preset: args.from, mapping: mapping.parse()?, ..ReadOptions::default() };
    let identities = Identities::new(args.identity.clone());
    let mut worst = Exit::Done;
    for file in &args.files {
        let resend = match (source::is_stdin(file), args.again) {
            (true, _) => Resend::Never,
            (false, true) => Resend::IfRefused,
            (false, false) => Resend::Always,
        };
        let open = || source::open(file, &identities);
        let query = args.query(file, &mapping);
        let sending = upload(&client, file, open, &query, args.output, resend);
        let Some(import) = unless_interrupted(sending).await else {
            note(args.output, &not_sent(&args.server));
            return Ok(Exit::Interrupted);
        };
        let import = import?;
        if args.detach {
            term::progress(&format!("next: keyferry imports watch {}", text(&import, "id")));
            continue;
        }
        let followed = unless_interrupted(follow(&client, &import, args.output)).await;
        let is_interrupted = followed.is_none();
        let ended = match followed {
            Some(ended) => ended?,
            None => {
                let id = text(&import, "id");
                note(args.output, &continues(id, &args.server));
                match unless_interrupted(client.json(Method::GET, &format!("/api/v2/public/imports/{id}"))).await {
                    Some(import) => import?,
                    None => return Ok(Exit::Interrupted),
                }
            }
        };
        if !args.output.json {
            summary::print(&ended);
        }
        let written = failures::write(&client, &ended, file, &identities, args.failures.as_deref(), &reading);
        match unless_interrupted(written).await {
            Some(written) => print_failures(&args, &written?, &ended),
            None => return Ok(Exit::Interrupted),
        }
        if is_interrupted {
            return Ok(Exit::Interrupted);
        }
        worst = worst.max(exit(&ended));
    }
    Ok(worst)
}

/// Whether two paths are those of one file.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Prints where the failed rows are, and how they are imported once they are corrected.
fn print_failures(args: &ImportArgs, written: &Written, import: &Value) {
    let note = |message: String| note(args.output, &message);
    let list = |paths: &[PathBuf]| paths.iter().map(|path| path.shown().to_string()).collect::<Vec<_>>().join(", ");
    let repeated = match written {
        Written::File { path, rows, repeated, asked, reasons } => {
            if args.output.json {
                progress::event_with("failures", "file", &path.shown().to_string());
            }
            reasons.lines().into_iter().for_each(note);
            if path != asked {
                note(format!("{} is kept: it was not written by an import, or was changed since", asked.shown()));
            }
            note(format!("failed rows are in {} ({rows}): correct them there, then import that file", path.shown()));
            note(format!("next: {}", args.command_for(path, lacks_accounts(import))));
            *repeated
        }
        Written::Nothing { repeated, removed, kept } => {
            if !removed.is_empty() {
                note(format!("{} of an earlier run is removed", list(removed)));
            }
            if !kept.is_empty() {
                note(format!("{} is kept: it was not written by an import, or was changed since", list(kept)));
            }
            *repeated
        }
        Written::ReadOnce => {
            note(format!(
                "the file can be read once only, so its failed rows cannot be written down; `keyferry imports results {} --state failed` \
                 lists them, and --failures FILE writes that list",
                text(import, "id")
            ));
            0
        }
    };
    if repeated > 0 {
        note(format!("{repeated} failed rows only repeat other rows of the file, and are left out there"));
    }
}
