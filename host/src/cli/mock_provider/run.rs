//! Setting the mock providers up, and running them until a signal.

use std::path::{Path, PathBuf};

use super::args::MockProviderArgs;
use super::problem::Problem;
use super::responder::{Conditions, Outage, Responder};
use super::shown::Shown;
use super::{apps, selection, tokens};
use crate::cli::error::CliResult;
use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::cli::term;
use keyferry_devkit::cases::mock::{MockPlugin, MockTable};
use keyferry_devkit::workbench;
use keyferry_mock_providers::{MockProviders, ThrowAwayCa};

pub(in crate::cli) async fn run(args: MockProviderArgs) -> CliResult {
    let signals = Signals::listen()?;
    let ready = tokio::select! {
        ready = prepare(args) => ready,
        () = signals.first() => return Ok(Exit::Done),
    };
    match ready {
        Ok(ready) => {
            term::print(&ready.text);
            signals.first().await;
            Ok(Exit::Done)
        }
        Err(Problem::Input(problem)) => {
            term::error(&problem);
            Ok(Exit::Unusable)
        }
        Err(Problem::Failed(error)) => Err(error),
    }
}

/// Mock providers that listen, and what is said of them.
struct Ready {
    /// They stop when this is dropped.
    _providers: MockProviders,
    /// Holds the files that have no other place.
    _folder: tempfile::TempDir,
    text: String,
}

async fn prepare(args: MockProviderArgs) -> Result<Ready, Problem> {
    let folder = tempfile::Builder::new().prefix("keyferry-mock-provider-").tempdir()?;
    let rows = args.tokens.as_deref().map(tokens::read).transpose().map_err(Problem::Input)?.unwrap_or_default();
    let apps = apps::find(&args, folder.path()).await?;
    let workbench = workbench()?;
    let mut plugins = Vec::new();
    for app in apps.found {
        let loaded = workbench.open(app.component).await;
        let loaded = loaded.map_err(|error| Problem::Input(format!("{}: {error}", app.name)))?;
        plugins.push(MockPlugin::new(loaded, app.cases)?);
    }
    let slugs: Vec<String> = plugins.iter().map(|plugin| plugin.slug().to_owned()).collect();
    let outage = Outage::of(args.outage.as_deref(), &slugs).map_err(Problem::Input)?;
    tokens::check_apps(&rows, &slugs).map_err(Problem::Input)?;
    term::progress(&format!("trying the cases of {}", slugs.join(", ")));
    let mut table = MockTable::default();
    for plugin in &plugins {
        for left_out in plugin.add_cases(&mut table).await {
            let (slug, case, reason) = (plugin.slug(), left_out.case, left_out.reason);
            term::warning(&format!("no credential for the case `{case}` of {slug}: {reason}"));
        }
        tokens::add(&rows, plugin, &mut table).await.map_err(Problem::Input)?;
    }
    let credentials = selection::select(&table, args.every_case);
    let sample = args.sample.unwrap_or_else(|| folder.path().join("sample.csv"));
    selection::write_csv(&credentials, &sample)?;

    let hosts = table.hosts();
    let (mut providers, ca_file) = match args.ca_file {
        Some(file) => (MockProviders::under(ThrowAwayCa::kept_at(&key_file(&file))?), file),
        None => (MockProviders::start().await?, folder.path().join("ca.pem")),
    };
    providers.write_ca_pem(&ca_file)?;
    let shown = Shown {
        json: args.json,
        outage: outage.clone(),
        latency: args.latency,
        retry_after: args.retry_after,
        plugins: apps.plugins,
        tokens: rows.len(),
        sample,
        ca_file,
        credentials,
    };
    let conditions = Conditions { latency: args.latency, retry_after: args.retry_after, outage };
    let responder = Responder::new(table, conditions);
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let address = providers.add_hosts(&names, args.port, move |request| responder.respond(&request)).await?;
    let text = shown.text(address, &providers.resolve_flags())?;
    Ok(Ready { _providers: providers, _folder: folder, text })
}

/// The file of the authority's key, beside that of its certificate.
fn key_file(ca_file: &Path) -> PathBuf {
    let mut name = ca_file.as_os_str().to_owned();
    name.push(".key");
    name.into()
}
