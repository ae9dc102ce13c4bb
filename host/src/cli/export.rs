//! `keyferry export`: all credentials of an environment in an encrypted file that `import` reads.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::Method;
use http_body_util::BodyExt as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::client::{Server, ServerArgs};
use super::{CliError, CliResult, term};
use keyferry_types::path_text::ShowPath as _;

/// How often the counter moves.
const TICK: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The file to write. It must not exist.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// An age recipient that can decrypt the file (`age1...`; `age-keygen` makes one). Repeatable.
    #[arg(long, short, value_name = "RECIPIENT", required = true)]
    recipient: Vec<age::x25519::Recipient>,

    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(ExportArgs { output, recipient, server }: ExportArgs) -> CliResult {
    let server = Server::open(&server)?;
    let file = File::options().write(true).create_new(true).mode(0o600).open(&output);
    let file = file.map_err(|error| format!("{}: {error}", output.shown()))?;
    match write(&server, file, &recipient).await {
        Ok(rows) => {
            term::print(&format!("{rows} credentials are in {}", output.shown()));
            term::progress("next, on the other server: keyferry import --create-accounts --identity KEY FILE");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            // A file that is not whole looks like one that is.
            let _gone = std::fs::remove_file(&output);
            Err(error)
        }
    }
}

async fn write(server: &Server, file: File, recipients: &[age::x25519::Recipient]) -> Result<u64, CliError> {
    let mut answer = server.send(Method::GET, "/api/v2/public/export").await?.good().await?;
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let mut encrypted = age::Encryptor::with_recipients(recipients)?.wrap_output(file)?;
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} credentials, {per_sec}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    while let Some(frame) = answer.response.body_mut().frame().await {
        let frame = frame.map_err(|error| format!("the server broke off, and nothing is kept: {error}"))?;
        if let Ok(data) = frame.into_data() {
            bar.inc(data.iter().filter(|byte| **byte == b'\n').count() as u64);
            encrypted.write_all(&data)?;
        }
    }
    encrypted.finish()?.sync_all()?;
    let rows = bar.position();
    bar.finish_and_clear();
    Ok(rows)
}
