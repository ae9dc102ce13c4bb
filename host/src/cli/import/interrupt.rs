//! What Ctrl-C does: it ends the command, and the import continues on the server.

use super::args::OutputArgs;
use super::progress;
use crate::cli::api_client::ServerArgs;
use crate::cli::term;
use keyferry_imports::input::shell_path;

/// The future's result; `None` if SIGINT (Ctrl-C) arrives first.
pub(super) async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        Ok(()) = tokio::signal::ctrl_c() => None,
    }
}

/// Prints a sentence, or an event with `--json`.
pub(super) fn note(output: OutputArgs, message: &str) {
    if output.json { progress::event_with("note", "message", message) } else { term::progress(message) }
}

/// That the import continues, and the commands for it.
pub(super) fn continues(id: &str, server: &ServerArgs) -> String {
    let given = given(server);
    format!(
        "the import continues on the server:\n  \
         keyferry imports watch {id}{given}   # follows it\n  \
         keyferry imports pause {id}{given}   # resume continues it\n  \
         keyferry imports cancel {id}{given}"
    )
}

/// What happens to a file that was not sent to its end.
pub(super) fn not_sent(server: &ServerArgs) -> String {
    format!(
        "interrupted while the file was sent: the server imports nothing of a file that does not arrive to its end; \
         `keyferry imports list{}` shows whether it did",
        given(server)
    )
}

/// The arguments that name the server, as the next command needs them.
fn given(server: &ServerArgs) -> String {
    server.given().map(|(name, value)| format!(" {name} {}", shell_path(&value))).collect()
}
