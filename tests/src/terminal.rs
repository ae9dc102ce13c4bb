//! A command at a terminal, and what a person types there.

use std::io::{ErrorKind, Write as _};
use std::process::Stdio;

use crate::binary;
use crate::or_fail::{OrFail as _, fail};
use crate::tools;

/// Runs keyferry at a pseudo-terminal (util-linux' `script` makes one) and types `typed`: how it ended, and what the person
/// sees. `None` where there is no `script`.
pub async fn at_terminal(
    environment: &[(String, String)],
    arguments: &[&str],
    typed: &str,
) -> Option<(Option<i32>, String)> {
    let keyferry = binary::keyferry().display().to_string();
    let words = std::iter::once(keyferry.as_str()).chain(arguments.iter().copied());
    let line = shlex::try_join(words).or_fail("write the command");
    let mut command = binary::command("script");
    command.args(["-q", "-e", "-c", &line, "/dev/null"]);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            tools::skip("there is no `script`");
            return None;
        }
        Err(error) => fail(format_args!("start script: {error}")),
    };
    let mut keyboard = child.stdin.take().or_fail("type");
    keyboard.write_all(typed.as_bytes()).or_fail("type");
    let output = tokio::task::spawn_blocking(move || {
        let output = child.wait_with_output();
        // Hanging up earlier could end the command.
        drop(keyboard);
        output
    });
    let output = output.await.or_fail("run script").or_fail("run script");
    Some((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
}
