//! `keyferry plugin inspect`: the content of a plugin file.

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::CliResult;
use crate::cli::exit::Exit;
use crate::cli::table::{Table, labelled};
use crate::cli::term;
use keyferry_devkit::{Inspection, Source, inspect, workbench};
use keyferry_sandbox::{FieldRead, SecretAccess};
use keyferry_types::path_text::ShowPath as _;

#[derive(Args)]
pub(in crate::cli) struct InspectArgs {
    /// A plugin file (.wasm), or the folder of a plugin, which is built first.
    #[arg(value_name = "FILE|DIR")]
    plugin: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print the JSON Schema (draft 2020-12) of each auth type.
    #[arg(long, conflicts_with = "json")]
    json_schema: bool,
}

pub(in crate::cli) async fn run(args: InspectArgs) -> CliResult {
    let workbench = workbench()?;
    let path = args.plugin.clone();
    let source = tokio::task::spawn_blocking(move || Source::open(&path)).await??;
    let inspection = inspect(&workbench, source.path, source.component)
        .await
        .map_err(|error| format!("{}: {error}", args.plugin.shown()))?;
    if args.json {
        term::print_json(&inspection)?;
    } else if args.json_schema {
        let schemas: serde_json::Map<_, _> =
            inspection.auth_types.into_iter().map(|auth_type| (auth_type.name, auth_type.json_schema)).collect();
        term::print_json(&schemas)?;
    } else {
        show(&inspection);
    }
    Ok(Exit::Done)
}

fn show(plugin: &Inspection) {
    term::print(&format!("{} ({})", plugin.name, plugin.slug));
    term::print(&format!("  file      {} ({} bytes)", plugin.file.shown(), plugin.bytes));
    term::print(&format!("  sha256    {}", plugin.sha256));
    term::print(&format!("  contract  {}", plugin.contract));
    if let Some(about) = &plugin.about {
        term::print(&labelled("  about     ", about));
    }
    if !plugin.tags.is_empty() {
        term::print(&labelled("  tags      ", &plugin.tags.join(", ")));
    }
    term::print(&format!("  docs      {}", plugin.docs));
    term::print(&labelled("  imports   ", &plugin.imports.join(", ")));
    for grant in &plugin.requests {
        let concern = plugin.concerns.iter().find(|known| known.request == *grant);
        let concern = concern.map(|known| format!(" [{}]", known.concern)).unwrap_or_default();
        term::print(&labelled("  asks for  ", &format!("{grant}{concern}")));
    }
    for grant in &plugin.renewal_requests {
        term::print(&labelled("  renews by ", &grant.to_string()));
    }
    if plugin.needs_wasi {
        term::print(&labelled(
            "  asks for  ",
            "WASI, which runs with nothing behind it once `--wasi sealed` is granted",
        ));
    }
    if plugin.secrets == SecretAccess::PlainText {
        term::print("  asks for  secrets as plain text");
    }
    for line in FieldRead::summary(&plugin.reads) {
        term::print(&labelled("  ", &line));
    }
    let mib = plugin.describe_memory_bytes as f64 / 1_048_576.0;
    term::print(&format!("  describe  {} units of fuel, {mib:.1} MiB of memory", plugin.describe_fuel));
    for auth_type in &plugin.auth_types {
        let help = auth_type.help.as_ref().map(|help| format!(": {help}")).unwrap_or_default();
        term::print(&format!("\n{} ({}){help}", auth_type.name, auth_type.label));
        let mut table = Table::new(["field", "label", "kind", "marks", "rules", "help"])
            .text(["label", "marks", "rules"])
            .notes(["help"]);
        for field in &auth_type.fields {
            let marks = [
                (field.secret, "secret"),
                (field.required, "required"),
                (field.supplier == "organisation", "the organisation's"),
            ];
            let marks: Vec<_> = marks.into_iter().filter_map(|(holds, mark)| holds.then_some(mark)).collect();
            table.add_row([
                field.name.clone(),
                field.label.clone(),
                field.kind.to_owned(),
                marks.join(", "),
                field.rules.join("; "),
                field.help.clone().unwrap_or_default(),
            ]);
        }
        term::print(&table.to_string());
    }
}
