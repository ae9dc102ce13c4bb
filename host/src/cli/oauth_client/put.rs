//! `keyferry oauth-client put`.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use http::{HeaderMap, Method};
use serde::Serialize;

use super::client::ClientArgs;
use crate::cli::api_client::{ApiClient, ServerArgs};
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::key_identity::explained;
use crate::cli::term;
use keyferry_types::bounded_file::{self, LINE};
use keyferry_types::path_text::ShowPath as _;
use keyferry_types::secret::Secret;
use keyferry_types::zeroizing::Zeroizing;

#[derive(Args)]
pub(in crate::cli) struct PutArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// The client's id at the provider.
    #[arg(long, value_name = "ID", required_unless_present = "client_id_file", conflicts_with = "client_id_file")]
    client_id: Option<String>,
    /// A file with the client's id; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    client_id_file: Option<PathBuf>,
    /// A file with the client's secret; `-` is standard input. Without it, the client is a public one, which has none.
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// The redirection URI that is registered at the provider.
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// Print JSON: the client as it is stored, without its secret.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// The body of the request. It is written once and never printed.
#[derive(Serialize)]
struct Body<'a> {
    client_id: &'a str,
    client_secret: Option<&'a str>,
    callback_url: Option<&'a str>,
}

pub(super) async fn run(args: PutArgs) -> CliResult {
    let is_stdin = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    if is_stdin(&args.client_id_file) && is_stdin(&args.client_secret_file) {
        return Err("standard input is the client's id or its secret, not both: put one of them into a file".into());
    }
    let api = ApiClient::new(&args.server)?;
    let id = match (&args.client_id, &args.client_id_file) {
        (_, Some(path)) => read(path, "client id")?,
        (id, None) => Secret::new(id.clone().unwrap_or_default()),
    };
    let secret = args.client_secret_file.as_deref().map(|path| read(path, "client secret")).transpose()?;
    let body = Body {
        client_id: id.expose(),
        client_secret: secret.as_ref().map(Secret::expose),
        callback_url: args.callback_url.as_deref(),
    };
    match put(&api, &args.client.path(), &body).await {
        Ok((headers, stored)) => {
            if let Some(warnings) = headers.get("keyferry-warnings").and_then(|value| value.to_str().ok()) {
                term::warning(warnings);
            }
            if args.json {
                term::print_json(&stored)?;
                return Ok(Exit::Done);
            }
            let is_new = headers.get("keyferry-action").is_some_and(|action| action == "created");
            let done = if is_new { "stored" } else { "replaced" };
            term::print(&format!("OAuth client {} of {} is {done}", args.client.name, args.client.slug));
            Ok(Exit::Done)
        }
        Err(error) => Err(explained(&api, "admin", error).await),
    }
}

async fn put(api: &ApiClient, path: &str, body: &Body<'_>) -> Result<(HeaderMap, serde_json::Value), CliError> {
    let response = api.send_json(Method::PUT, path, body).await?;
    let headers = response.headers().clone();
    Ok((headers, response.json().await?))
}

/// One line of a file, or of standard input, without its line break.
fn read(path: &Path, what: &str) -> Result<Secret, CliError> {
    let failed = |error: io::Error| format!("the {what} in {} cannot be read: {error}", path.shown());
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(LINE)?));
    if path == Path::new("-") {
        io::stdin().take(LINE).read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = bounded_file::read_input(path, LINE).map_err(failed)?;
        if file.is_exposed() && what == "client secret" {
            let (path, mode) = (path.shown(), file.mode);
            term::warning(&format!("others can read the {what} in {path} (mode {mode:04o}): chmod 600 it"));
        }
        text.push_str(file.text().map_err(failed)?);
    }
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        return Err(format!("the {what} in {} is empty", path.shown()).into());
    }
    Ok(Secret::new(line))
}
