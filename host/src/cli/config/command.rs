//! `keyferry config check` and `example`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table};

use super::super::settings::ServeArgs;
use super::super::{CliResult, term};
use super::effective::{Effective, Held};
use super::example::example;
use keyferry_api::Tls;
use keyferry_egress::Egress;
use keyferry_sandbox::GrantLock;
use keyferry_telemetry as telemetry;
use keyferry_types::path_text::ShowPath as _;

#[derive(Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Shows what `serve` with the same flags, variables and file would run with, and the source of each value. Ends with an
    /// error if `serve` would not start.
    Check(Box<CheckArgs>),
    /// Prints a settings file with all settings in it, each explained and at its default.
    Example,
}

#[derive(Args)]
pub(in crate::cli) struct CheckArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Runs one subcommand with the effective settings.
pub(in crate::cli) fn run(command: ConfigCommand, effective: &Effective) -> CliResult {
    match command {
        ConfigCommand::Example => term::print(example().trim_end()),
        ConfigCommand::Check(args) => {
            if args.json {
                term::print(&serde_json::to_string_pretty(effective)?);
            } else {
                term::progress(&match &effective.file {
                    Some(path) => format!("settings were read from {}", path.shown()),
                    None => "no settings file was read".to_owned(),
                });
                term::print(&table(&effective.settings).to_string());
            }
            let settings = args.serve.looked_at()?;
            settings.admin.map(|admin| admin.token()).transpose()?;
            // What these name has to be there, and of the right kind.
            if let Some(tls) = settings.tls.map(Tls::load).transpose()? {
                tls.warnings().iter().for_each(|warning| term::warning(warning));
            }
            settings.folders.key.check()?;
            GrantLock::read(&settings.folders.lock)?;
            Egress::new(settings.egress)?;
            settings.otlp.as_ref().map(telemetry::check).transpose()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(settings: &[Held]) -> Table {
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["setting", "value", "from"]);
    for held in settings {
        let value = match &held.meaning {
            Some(words) => format!("({words})"),
            None => held.values.join(", "),
        };
        table.add_row([held.setting.clone(), value, held.from.to_string()]);
    }
    table
}
