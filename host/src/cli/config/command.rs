//! `keyferry config check` and `example`.

use clap::{Args, Subcommand};

use super::effective::{Effective, EffectiveSetting};
use super::example::example;
use super::flags::ServeArgs;
use crate::cli::error::CliResult;
use crate::cli::exit::Exit;
use crate::cli::table::Table;
use crate::cli::term;
use keyferry_api::Tls;
use keyferry_egress::Egress;
use keyferry_sandbox::GrantLock;
use keyferry_telemetry as telemetry;
use keyferry_types::path_text::ShowPath as _;

#[derive(Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Shows what `serve` with the same flags, variables and file would run with, and the source of each value. Ends with an
    /// error if `serve` would not start.
    #[command(after_help = "\
Examples:
  keyferry config check
  keyferry config check --config /etc/keyferry.toml --json")]
    Check(Box<CheckArgs>),
    /// Prints a settings file with all settings in it, each explained and at its default.
    #[command(after_help = "Examples:\n  keyferry config example > keyferry.toml")]
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
                term::print_json(effective)?;
            } else {
                term::progress(&match &effective.file {
                    Some(path) => format!("settings were read from {}", path.shown()),
                    None => "no settings file was read".to_owned(),
                });
                term::print(&table(&effective.settings).to_string());
            }
            let settings = args.serve.preview()?;
            settings.warnings().iter().for_each(|warning| term::warning(warning));
            if settings.folders.database.is_some() {
                term::progress(
                    "of several servers on this database, each has limits of its own: rates, rejected credentials, calls of plugins, rows and \
                     uploads of imports, connections, and pauses after a provider has failed; divide them",
                );
            }
            settings.admin.map(|admin| admin.token()).transpose()?;
            // The files that these name must exist and be usable.
            if let Some(tls) = settings.tls.map(Tls::load).transpose()? {
                tls.warnings().iter().for_each(|warning| term::warning(warning));
            }
            settings.folders.key.check()?;
            GrantLock::read(&settings.folders.lock)?;
            Egress::new(settings.egress)?;
            settings.otlp.as_ref().map(telemetry::check).transpose()?;
        }
    }
    Ok(Exit::Done)
}

fn table(settings: &[EffectiveSetting]) -> Table {
    let mut table = Table::new(["setting", "value", "from"]).text(["value", "from"]);
    for setting in settings {
        let value = match &setting.meaning {
            Some(words) => format!("({words})"),
            None => setting.values.join(", "),
        };
        table.add_row([setting.name.clone(), value, setting.source.to_string()]);
    }
    table
}
