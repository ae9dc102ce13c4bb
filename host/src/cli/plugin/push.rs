//! `keyferry plugin push`: a component goes into the database, and all of its servers load it.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;

use crate::cli::config::OperatorArgs;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::operator::{Needs, perform};
use crate::cli::term;
use keyferry_api::admin::{PushPlugin, PutPluginPart};
use keyferry_sandbox::{Digest, PluginState};
use keyferry_service::parts;
use keyferry_types::bounded_file;
use keyferry_types::path_text::ShowPath as _;

/// Bytes of a component: more than any that is admitted has.
const MOST: u64 = 256 * 1024 * 1024;
/// Parts after which a line says how far it is.
const PROGRESS: usize = 64;

#[derive(Args)]
pub(in crate::cli) struct PushArgs {
    /// The component.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The name that it gets [default: that of the file].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

pub(in crate::cli) async fn run(args: PushArgs) -> CliResult {
    let PushArgs { file, name, json, folders } = args;
    let shown = file.shown().to_string();
    let name = name.or_else(|| Some(file.file_name()?.to_str()?.to_owned()));
    let name =
        name.ok_or_else(|| CliError::from(format!("{shown} has no name of plain text; give it one by --name")))?;
    let read = tokio::task::spawn_blocking(move || bounded_file::read_regular(&file, MOST)).await?;
    let component = read.map_err(|error| format!("cannot read {shown}: {error}"))?.into_vec();
    let sha256 = Digest::of(&component);
    let count = parts(&component).count();
    for (number, part) in parts(&component).enumerate() {
        let content = BASE64_STANDARD.encode(part);
        let part = u32::try_from(number).unwrap_or(u32::MAX);
        perform(folders.clone(), Needs::Plugins, PutPluginPart { sha256, part, content }).await?;
        if number % PROGRESS == PROGRESS - 1 {
            term::progress(&format!("{} of {count} parts", number + 1));
        }
    }
    let operation = PushPlugin { target: name, sha256, parts: u32::try_from(count).unwrap_or(u32::MAX) };
    let plugin = perform(folders, Needs::Plugins, operation).await?;
    if json {
        term::print_json(&plugin)?;
    } else {
        term::print(&format!("{} is sha256 {sha256} on all servers: {}", plugin.title(), plugin.state.as_str()));
        if let Some(reason) = &plugin.reason {
            term::print(reason);
        }
    }
    Ok(if plugin.state == PluginState::Refused { Exit::Unusable } else { Exit::Done })
}
