//! `keyferry export`: all credentials of an environment in an encrypted file that `import` reads.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::Method;
use indicatif::ProgressBar;
use serde_json::json;

use super::api_client::{ApiClient, ServerArgs};
use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::term;
use keyferry_types::path_text::ShowPath as _;

/// The interval at which the counter is redrawn.
const TICK: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The file to write. It must not exist.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// An age recipient that can decrypt the file (`age1...`; `age-keygen` makes one). Repeatable.
    #[arg(long, short, value_name = "RECIPIENT", required = true, value_parser = recipient)]
    recipient: Vec<age::x25519::Recipient>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    server: ServerArgs,
}

/// A recipient of age, as a flag has it.
pub(super) fn recipient(text: &str) -> Result<age::x25519::Recipient, String> {
    let wrong = |error| format!("it is no age recipient ({error}): one begins with age1, and `age-keygen` prints it");
    text.trim().parse().map_err(wrong)
}

pub(super) async fn run(ExportArgs { output, recipient, json, server }: ExportArgs) -> CliResult {
    let client = ApiClient::new(&server)?;
    let file = File::options().write(true).create_new(true).mode(0o600).open(&output);
    let file = file.map_err(|error| format!("{}: {error}", output.shown()))?;
    match write(&client, file, &recipient).await {
        Ok(rows) => {
            if json {
                term::print_json(&json!({ "file": output.shown().to_string(), "credentials": rows }))?;
            } else {
                term::print(&format!("{rows} credentials are in {}", output.shown()));
            }
            term::progress("next, on the other server: keyferry import --create-accounts --identity KEY FILE");
            Ok(Exit::Done)
        }
        Err(error) => {
            // An incomplete file looks like a complete one.
            let _removed = std::fs::remove_file(&output);
            Err(error)
        }
    }
}

async fn write(client: &ApiClient, file: File, recipients: &[age::x25519::Recipient]) -> Result<u64, CliError> {
    let mut response = client.send(Method::GET, "/api/v2/public/export").await?.error_for_status().await?;
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let mut encrypted = age::Encryptor::with_recipients(recipients)?.wrap_output(file)?;
    let bar = term::styled(ProgressBar::new_spinner(), "{spinner} {pos} credentials, {per_sec}");
    bar.enable_steady_tick(TICK);
    let broken_off = |error| format!("the server broke off, and nothing is kept: {error}");
    while let Some(data) = response.chunk().await.map_err(broken_off)? {
        bar.inc(data.iter().filter(|byte| **byte == b'\n').count() as u64);
        encrypted.write_all(&data)?;
    }
    encrypted.finish()?.sync_all()?;
    let rows = bar.position();
    bar.finish_and_clear();
    Ok(rows)
}
