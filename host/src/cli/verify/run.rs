//! `keyferry verify`.

use std::pin::pin;

use futures_util::StreamExt as _;

use super::args::VerifyArgs;
use super::progress::Progress;
use super::report::{Format, Report};
use super::targets::targets;
use super::verifier::Verifier;
use crate::cli::api_client::ApiClient;
use crate::cli::error::{CliError, CliResult, chain};
use crate::cli::exit::Exit;
use crate::cli::key_identity::explained;
use crate::cli::term;

/// The scopes that the command needs: to list credentials, and to have them verified.
const SCOPES: &str = "read,migrate";

/// How the work ended.
enum End {
    Complete,
    Interrupted,
    /// The reader has closed the pipe (`| head`).
    Unread,
    Failed(CliError),
}

pub(in crate::cli) async fn run(args: VerifyArgs) -> CliResult {
    let client = ApiClient::new(&args.server)?;
    let progress = Progress::new();
    let mut report = Report::new(if args.json { Format::Json } else { Format::Table }, args.only_failed);
    let end = verify(&client, &args, &progress, &mut report).await;
    progress.end();
    let end = match end {
        End::Failed(error) => End::Failed(explained(&client, SCOPES, error).await),
        end => end,
    };
    let end = match end {
        End::Failed(error) if report.is_empty() => return Err(error),
        End::Unread => return Ok(Exit::Incomplete),
        end => end,
    };
    let is_complete = matches!(end, End::Complete);
    if report.end(is_complete).is_err() {
        return Ok(report.exit(is_complete));
    }
    match end {
        End::Interrupted => term::progress(
            "stopped: the server completes verifications that are under way; `keyferry account show ID` has their results",
        ),
        End::Failed(error) => term::error(&chain(error.as_ref())),
        End::Complete | End::Unread => {}
    }
    term::progress(&report.counted());
    Ok(report.exit(is_complete))
}

/// Verifies the selected credentials, several at a time, until none is left or Ctrl-C is pressed.
async fn verify(client: &ApiClient, args: &VerifyArgs, progress: &Progress, report: &mut Report) -> End {
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let targets = match targets(client, &args.selection()).await {
        Ok(targets) => targets,
        Err(error) => return End::Failed(error),
    };
    let verifier = &Verifier::new(client, progress);
    let verified = targets.map(|target| async move {
        let target = target?;
        let accounts = target.accounts;
        Ok::<_, CliError>(verifier.verify(target).await?.map(|verification| (verification, accounts)))
    });
    let mut verified = pin!(verified.buffer_unordered(usize::from(args.parallel)));
    loop {
        let next = tokio::select! {
            biased;
            Ok(()) = &mut interrupted => return End::Interrupted,
            next = verified.next() => next,
        };
        let (verification, accounts) = match next {
            Some(Ok(Some(verification))) => verification,
            Some(Ok(None)) => continue,
            Some(Err(error)) => return End::Failed(error),
            None => return End::Complete,
        };
        let place = verification.place;
        if report.add(verification) && progress.suspended(|| report.print()).is_err() {
            return End::Unread;
        }
        progress.show(place, accounts, &report.counted());
    }
}
