//! `keyferry plugin check`: strict checks of plugin files, reported like compiler diagnostics.

use std::path::PathBuf;

use clap::Args;
use owo_colors::{OwoColorize as _, Stream::Stdout};
use serde_json::json;

use crate::cli::error::CliResult;
use crate::cli::exit::Exit;
use crate::cli::term;
use keyferry_devkit::check::{Finding, Level, lint};
use keyferry_devkit::{Source, workbench};
use keyferry_types::path_text::ShowPath as _;

#[derive(Args)]
pub(in crate::cli) struct CheckArgs {
    /// Plugin files (.wasm), or folders of plugins, which are built first.
    #[arg(value_name = "FILE|DIR", required = true)]
    plugins: Vec<PathBuf>,
    /// End with 1 if there is a warning.
    #[arg(long)]
    deny_warnings: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) async fn run(args: CheckArgs) -> CliResult {
    let workbench = workbench()?;
    let mut all = Vec::new();
    for path in args.plugins {
        let named = path.clone();
        let source = tokio::task::spawn_blocking(move || Source::open(&named)).await??;
        let findings = lint(&workbench, source.component).await;
        if !args.json {
            findings.iter().for_each(|finding| show(&path, finding));
        }
        all.push((path, findings));
    }
    let count = |level| all.iter().flat_map(|(_, findings)| findings).filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    if args.json {
        let plugins: Vec<_> = all
            .iter()
            .map(|(path, findings)| json!({ "file": path.shown().to_string(), "findings": findings }))
            .collect();
        term::print_json(&json!({ "plugins": plugins, "errors": errors, "warnings": warnings }))?;
    } else {
        let (files, plural) = (all.len(), |n| if n == 1 { "" } else { "s" });
        let line = format!(
            "{files} plugin{}: {errors} error{}, {warnings} warning{}",
            plural(files),
            plural(errors),
            plural(warnings)
        );
        term::print(&match (errors, warnings) {
            (0, 0) => line.if_supports_color(Stdout, |text| text.green()).to_string(),
            _ => line,
        });
    }
    Ok(match (errors, warnings) {
        (1.., _) => Exit::Unusable,
        (0, 1..) if args.deny_warnings => Exit::Failed,
        _ => Exit::Done,
    })
}

fn show(path: &std::path::Path, finding: &Finding) {
    let label = match finding.level {
        Level::Error => "error".if_supports_color(Stdout, |text| text.red()).to_string(),
        Level::Warning => "warning".if_supports_color(Stdout, |text| text.yellow()).to_string(),
    };
    let place = finding.place.as_ref().map(|place| format!(" {place}:")).unwrap_or_default();
    term::print(&format!("{label}[{}] {}:{place} {}", finding.code, path.shown(), finding.message));
    let next = format!("  next: {}", finding.next);
    term::print(&next.if_supports_color(Stdout, |text| text.dimmed()).to_string());
}
