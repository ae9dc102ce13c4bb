//! `keyferry plugin list`, `grant`, `revoke`, `rollback`: the operator's commands for the plugins of a server.

use std::collections::HashSet;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use comfy_table::{Cell, Color};
use owo_colors::{OwoColorize as _, Stream::Stdout};
use serde_json::json;

use crate::cli::config::OperatorArgs;
use crate::cli::error::CliResult;
use crate::cli::exit::Exit;
use crate::cli::grouping::grouped;
use crate::cli::operator::{Needs, perform};
use crate::cli::table::{Table, labelled};
use crate::cli::term;
use keyferry_api::admin::{GrantPlugin, ListPlugins, RevokePlugin, RollbackPlugin, ShowPlugin};
use keyferry_egress::Grant;
use keyferry_sandbox::{Digest, FieldRead, PluginState, PluginStatus, RenewalGrant, SecretAccess, WasiGrant};
use keyferry_types::path_text::ShowPath as _;

#[derive(Args)]
pub(in crate::cli) struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// End with 2 if a file does not serve, and name it.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct GrantArgs {
    /// A slug or a file name.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    target: String,
    /// Show the request for grants without granting.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask. Without a terminal, nothing is asked.
    #[arg(long)]
    yes: bool,
    /// Let it import sealed WASI, which has no access to the system.
    #[arg(long, value_parser = ["sealed"])]
    wasi: Option<String>,
    /// Let it read this field as text although it looks secret: FIELD, or AUTH_TYPE.FIELD. Separate several by commas.
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    reads_text: Vec<String>,
    /// Let it renew credentials by the requests that it asks for.
    #[arg(long)]
    renewal: bool,
    /// The number of days until the grant expires.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct RevokeArgs {
    /// A slug or a file name.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    target: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

#[derive(Args)]
pub(in crate::cli) struct RollbackArgs {
    /// A slug or a file name.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    target: String,
    /// The first digits of the version's SHA-256 [default: the version that served before].
    #[arg(long, value_name = "SHA256")]
    to: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

pub(in crate::cli) async fn list(args: ListArgs) -> CliResult {
    let plugins = perform(args.folders, Needs::Plugins, ListPlugins {}).await?;
    if args.json {
        term::print_json(&plugins)?;
    } else {
        term::print(&table(&plugins).to_string());
    }
    let waiting: Vec<_> = plugins.iter().filter(|plugin| plugin.state != PluginState::Active).collect();
    if !args.check || waiting.is_empty() {
        return Ok(Exit::Done);
    }
    let said = |plugin: &&PluginStatus| {
        let reason = plugin.reason.as_deref().unwrap_or_default();
        (plugin.file.shown().to_string(), plugin.title(), format!("{}: {reason}", plugin.state.as_str()))
    };
    for (files, text) in grouped(waiting.iter().map(said), "APP") {
        term::error(&format!("{}: {text}", files.join(", ")));
    }
    Ok(Exit::Unusable)
}

pub(in crate::cli) async fn grant(args: GrantArgs) -> CliResult {
    let target = args.target;
    let mut shown = perform(args.folders.clone(), Needs::Plugins, ShowPlugin { target: target.clone() }).await?;
    // With --json the person at the terminal still sees what is to be granted.
    let renewal = if args.renewal { RenewalGrant::Granted } else { RenewalGrant::AsRecorded };
    show(&shown, renewal, if args.json { term::coloured_progress } else { term::print });
    let mut granted = None;
    if !args.dry_run {
        if !args.yes && term::ask(&format!("Grant this to {}?", shown.title())) == Some(false) {
            return Err(format!("nothing is granted to {}", shown.title()).into());
        }
        let wasi = if args.wasi.is_some() { WasiGrant::Sealed } else { WasiGrant::None };
        let (sha256, reads_text, days) = (shown.digest, args.reads_text, args.days);
        let operation = GrantPlugin { target: target.clone(), sha256, wasi, reads_text, renewal, days };
        let grant = perform(args.folders.clone(), Needs::Plugins, operation).await?;
        if args.json {
            // Its state with the grant.
            shown = perform(args.folders, Needs::Plugins, ShowPlugin { target }).await?;
        } else {
            let until = grant.ends_at.map(|end| format!(" until {end}")).unwrap_or_default();
            term::print(&format!("granted to sha256 {}{until}", grant.sha256));
        }
        granted = Some(grant);
    }
    if args.json {
        term::print_json(&json!({ "plugin": shown, "grant": granted }))?;
    }
    Ok(Exit::Done)
}

pub(in crate::cli) async fn revoke(args: RevokeArgs) -> CliResult {
    let target = args.target.clone();
    let revoked = perform(args.folders, Needs::Plugins, RevokePlugin { target: args.target }).await?;
    if args.json {
        term::print_json(&revoked)?;
    } else {
        for grant in revoked {
            term::print(&format!("revoked {target} sha256 {}", grant.sha256));
        }
    }
    Ok(Exit::Done)
}

pub(in crate::cli) async fn rollback(args: RollbackArgs) -> CliResult {
    let operation = RollbackPlugin { target: args.target, to: args.to };
    let done = perform(args.folders, Needs::Plugins, operation).await?;
    if args.json {
        term::print_json(&done)?;
    } else {
        let from = done.from.map(|from| format!(", from {from}")).unwrap_or_default();
        term::print(&format!("{} is sha256 {} again{from}", done.file.shown(), done.to));
    }
    Ok(Exit::Done)
}

fn table(plugins: &[PluginStatus]) -> Table {
    let header = ["app", "state", "file", "sha256", "contract", "KiB", "reads", "why"];
    let mut table = Table::new(header).text(["file", "reads"]).notes(["why"]);
    for plugin in plugins {
        let color = match plugin.state {
            PluginState::Active => Color::Green,
            PluginState::Pending | PluginState::NeedsWasi => Color::Yellow,
            PluginState::Revoked | PluginState::Duplicate | PluginState::Refused => Color::Red,
        };
        let mut why: Vec<String> = plugin.reason.iter().cloned().collect();
        if plugin.serving != plugin.digest
            && let Some(serving) = plugin.serving
        {
            why.push(format!("{} keeps serving", short(&serving)));
        }
        why.extend(plugin.ends_at.map(|end| format!("granted until {end}")));
        table.add_row([
            Cell::new(plugin.title()),
            Cell::new(plugin.state.as_str()).fg(color),
            Cell::new(plugin.file.file_name().unwrap_or_default().shown()),
            Cell::new(plugin.digest.as_ref().map(short).unwrap_or_default()),
            Cell::new(plugin.contract.as_deref().unwrap_or_default()),
            Cell::new(plugin.bytes.div_ceil(1024)),
            Cell::new(counted(&plugin.reads)),
            Cell::new(why.join("; ")),
        ]);
    }
    table
}

/// How many fields a plugin reads. `grant --dry-run` and `--json` list them.
fn counted(reads: &[FieldRead]) -> String {
    let fields = reads.iter().map(|read| &read.field).collect::<HashSet<_>>().len();
    let looks_secret =
        reads.iter().filter(|read| read.is_suspicious()).map(|read| &read.field).collect::<HashSet<_>>().len();
    match (fields, looks_secret) {
        (0, _) => String::new(),
        (1, 0) => "1 field".to_owned(),
        (_, 0) => format!("{fields} fields"),
        (1, _) => "1 field that looks secret".to_owned(),
        (_, 1) => format!("{fields} fields, 1 that looks secret"),
        _ => format!("{fields} fields, {looks_secret} that look secret"),
    }
}

fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}

/// What is wide about a request's host, for the end of its line.
fn marked(plugin: &PluginStatus, grant: &Grant) -> String {
    let host = grant.host.to_string();
    let concern = plugin.concerns.iter().find(|known| known.request == *grant).map(|known| known.concern.clone());
    let wide = concern.or_else(|| host.strip_prefix("*.").map(|domain| format!("any host below {domain}")));
    wide.map(|wide| format!(" [{wide}]").if_supports_color(Stdout, |text| text.yellow()).to_string())
        .unwrap_or_default()
}

/// Shows what a plugin asks for and may do.
fn show(plugin: &PluginStatus, renewal: RenewalGrant, print: fn(&str)) {
    print(&format!("{} ({})", plugin.name.as_deref().unwrap_or("?"), plugin.title()));
    print(&format!("  file     {} ({} bytes)", plugin.file.shown(), plugin.bytes));
    if let Some(digest) = plugin.digest {
        print(&format!("  sha256   {digest}"));
    }
    if let Some(reason) = &plugin.reason {
        print(&labelled("  why      ", reason));
    }
    let is_new = |grant: &Grant| !plugin.granted_before.is_empty() && !plugin.granted_before.contains(grant);
    for grant in &plugin.requests {
        let new = if is_new(grant) { " (new)" } else { "" };
        print(&format!("  asks for {grant}{new}{}", marked(plugin, grant)));
    }
    for grant in plugin.granted_before.iter().filter(|grant| !plugin.requests.contains(grant)) {
        print(&format!("  drops    {grant}"));
    }
    for grant in &plugin.granted {
        print(&format!("  may do   {grant}{}", marked(plugin, grant)));
    }
    for grant in &plugin.renewal_requests {
        print(&format!("  renews by {grant}{}", marked(plugin, grant)));
    }
    let is_granted = |grant: &Grant| plugin.renewal_granted.contains(grant);
    if renewal == RenewalGrant::AsRecorded && !plugin.renewal_requests.iter().all(is_granted) {
        print(&format!("  may not renew: `keyferry plugin grant {} --renewal` lets it", plugin.title()));
    }
    if !plugin.granted_before.is_empty() && plugin.requests.iter().all(|grant| !is_new(grant)) {
        print("  asks for no request that the version before may not make");
    }
    if plugin.secret_access == Some(SecretAccess::PlainText) {
        print("  asks for secrets as plain text");
    }
    for line in FieldRead::summary(&plugin.reads) {
        print(&labelled("  ", &line));
    }
}
