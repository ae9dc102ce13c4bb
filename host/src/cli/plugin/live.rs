//! `keyferry plugin call` and `record`: one verification with a real provider, printed or recorded as a case.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use owo_colors::{OwoColorize as _, Stream::Stdout};
use zeroize::Zeroizing;

use super::live_json;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::term;
use keyferry_devkit::cases::{Masking, Outcome, Suite, load, record, verdict_lines};
use keyferry_devkit::{Live, LiveExchange, LiveOptions, Source, call, workbench};
use keyferry_egress::MockProvider;
use keyferry_sandbox::{Verdict, Workbench};
use keyferry_schema::Input;
use keyferry_types::bounded_file::{self, SMALL};
use keyferry_types::path_text::ShowPath as _;

/// The largest number of bytes shown of a response.
const SHOWN: usize = 4000;

#[derive(Args)]
struct LiveArgs {
    /// A plugin file (.wasm), or the folder of a plugin, which is built first.
    #[arg(value_name = "FILE|DIR")]
    plugin: PathBuf,
    /// The credential as `auth_object` has it, {"AUTH_TYPE": {"FIELD": "VALUE"}}; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    auth_object: PathBuf,
    /// Send everything to this server instead: http://127.0.0.1:PORT.
    #[arg(long, value_name = "URL")]
    provider: Option<MockProvider>,
    /// Trust the certificate authorities in this PEM file too.
    #[arg(long, value_name = "FILE")]
    egress_ca: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(in crate::cli) struct CallArgs {
    #[command(flatten)]
    live: LiveArgs,
}

#[derive(Args)]
pub(in crate::cli) struct RecordArgs {
    #[command(flatten)]
    live: LiveArgs,
    /// The case's name: NAME.toml is written.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    case: String,
    /// The folder of the cases [default: `cases` in the plugin's folder, or beside the file].
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// A description of the case, in one sentence.
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
    /// Replace values that identify the account by values of the same shape.
    #[arg(long)]
    mask: bool,
    /// Replace a case of that name.
    #[arg(long)]
    force: bool,
}

/// Verifies one credential with the real provider and prints the exchange.
pub(in crate::cli) async fn run_call(args: CallArgs) -> CliResult {
    let workbench = workbench()?;
    let json = args.live.json;
    let source = open(&args.live.plugin).await?;
    let live = verify(&workbench, &source, args.live).await?;
    if json {
        let verdict = live.recorded.result.as_ref().map_err(Clone::clone)?;
        term::print_json(&live_json::call(&live, verdict))?;
        return Ok(exit(verdict));
    }
    for exchange in &live.exchanges {
        show(&live, exchange);
    }
    for line in &live.recorded.log {
        term::print(&format!("log {}: {}", line.level.to_string().to_lowercase(), line.text));
    }
    let verdict = live.recorded.result.as_ref().map_err(Clone::clone)?;
    let lines = verdict_lines(verdict);
    let (first, rest) = lines.split_first().ok_or("the plugin came to no verdict")?;
    term::print(&match verdict {
        Verdict::Verified(_) => first.if_supports_color(Stdout, |text| text.green()).to_string(),
        Verdict::Failed(_) => first.if_supports_color(Stdout, |text| text.red()).to_string(),
    });
    for line in rest {
        term::print(&format!("  {line}"));
    }
    if let Verdict::Failed(failure) = verdict {
        term::print(&format!("  detail: {}", failure.detail));
    }
    Ok(exit(verdict))
}

fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Verified(_) => Exit::Done,
        Verdict::Failed(_) => Exit::Failed,
    }
}

/// Records one verification as a case, and runs the case.
pub(in crate::cli) async fn run_record(args: RecordArgs) -> CliResult {
    let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if args.case.is_empty() || !is_plain(&args.case) {
        return Err(format!("`{}` cannot be a file's name; use letters, digits, - and _", args.case).into());
    }
    let workbench = workbench()?;
    let json = args.live.json;
    let source = open(&args.live.plugin).await?;
    let folder = args.cases.unwrap_or_else(|| source.cases.clone());
    let path = folder.join(format!("{}.toml", args.case));
    if path.exists() && !args.force {
        return Err(format!("{} exists; give the case another name, or replace it with --force", path.shown()).into());
    }
    let live = verify(&workbench, &source, args.live).await?;
    let masking = if args.mask { Masking::On } else { Masking::Off };
    let text = record(&workbench, &source, &live, args.about, masking).await?;
    std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.shown()))?;
    std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.shown()))?;
    if !json {
        if let Ok(verdict) = &live.recorded.result {
            term::print(&verdict_lines(verdict).join("\n  "));
        }
        term::print(&format!("written to {}; read it before you commit it", path.shown()));
    }
    let passes = play_back(&workbench, source, &path).await?;
    if json {
        let mut shown = live.recorded.result.as_ref().map(live_json::verdict).unwrap_or_default();
        shown.insert("file".to_owned(), path.shown().to_string().into());
        shown.insert("passes".to_owned(), passes.into());
        term::print_json(&shown)?;
    }
    Ok(if passes { Exit::Done } else { Exit::Failed })
}

/// Runs the recorded case: whether it passes. It may fail, as replaced values may mean something else to the plugin.
async fn play_back(workbench: &Workbench, source: Source, path: &Path) -> Result<bool, CliError> {
    let suite = Suite::open(workbench, source.path, source.component, vec![load(path)?]).await?;
    match suite.run_case(0).await.map(|test| test.outcome) {
        None | Some(Outcome::Passed) => Ok(true),
        Some(Outcome::Failed(lines)) => {
            term::warning("played back, the case does not pass yet; mend it by hand:");
            lines.iter().for_each(|line| term::progress(&format!("  {}", line.marked())));
            Ok(false)
        }
    }
}

async fn open(path: &Path) -> Result<Source, CliError> {
    let path = path.to_owned();
    Ok(tokio::task::spawn_blocking(move || Source::open(&path)).await??)
}

async fn verify(workbench: &Workbench, source: &Source, args: LiveArgs) -> Result<Live, CliError> {
    let auth_object = auth_object(&args.auth_object)?;
    let options = LiveOptions { provider: args.provider, egress_ca: args.egress_ca };
    let live = call(workbench, source.component.clone(), &auth_object, options).await;
    live.map_err(|error| format!("{}: {error}", source.path.shown()).into())
}

fn auth_object(path: &Path) -> Result<Input, CliError> {
    let mut text = Zeroizing::new(String::new());
    let failed = |error: std::io::Error| format!("the auth object in {} cannot be read: {error}", path.shown());
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = bounded_file::read_input(path, SMALL).map_err(failed)?;
        text.push_str(file.text().map_err(failed)?);
    }
    // serde's message quotes the input, which may be a secret: only its position is reported.
    serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("the auth object in {} is not JSON (line {line}, column {column})", path.shown()).into()
    })
}

fn show(live: &Live, exchange: &LiveExchange) {
    for line in &exchange.lines {
        term::print(&format!("> {}", live.redact(line)));
    }
    match &exchange.result {
        Err(error) => term::print(&format!("! {error}")),
        Ok(response) => {
            term::print(&format!("< {}", response.status));
            for (name, value) in &response.headers {
                let line = live.redact(&format!("< {name}: {value}"));
                term::print(&line.if_supports_color(Stdout, |text| text.dimmed()).to_string());
            }
            let body = live.redact(&String::from_utf8_lossy(&response.body));
            let shown: String = body.chars().take(SHOWN).collect();
            for line in shown.lines() {
                term::print(&format!("< {line}"));
            }
            if shown.len() < body.len() {
                term::print(&format!("< ... ({} bytes in all)", body.len()));
            }
        }
    }
}
