//! The events of an import, received until it ends.

use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::args::OutputArgs;
use super::progress::{Display, ProgressView};
use crate::cli::api_client::{ApiClient, ApiError};
use crate::cli::error::CliError;
use crate::cli::members::{number, text};

/// Attempts to connect again after a connection ends, and the pause before each.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// Follows an import until no work is left. Returns the import at its end.
pub(super) async fn follow(client: &ApiClient, import: &Value, output: OutputArgs) -> Result<Value, CliError> {
    let id = text(import, "id").to_owned();
    let mut view = ProgressView::new(Display::new(output), number(import, "rows"));
    let mut attempts = 0;
    loop {
        match receive(client, &id, &mut view).await {
            Ok(Some(end)) => {
                view.end(&end);
                return Ok(end);
            }
            // A restarted server resumes the import.
            Ok(None) => attempts = 0,
            Err(error) if error.downcast_ref().is_some_and(ApiError::is_permanent) => {
                view.clear();
                return Err(error);
            }
            Err(error) if attempts >= ATTEMPTS => {
                view.clear();
                let hint = format!("the import continues on the server; follow it with `keyferry imports watch {id}`");
                return Err(format!("the server cannot be asked any more: {error}; {hint}").into());
            }
            Err(error) if attempts == 0 => view.note(&format!("{error}: trying again for {ATTEMPTS} s")),
            Err(_) => {}
        }
        attempts += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Receives the events of one connection. Returns the import of the last event, if that arrived.
async fn receive(client: &ApiClient, id: &str, view: &mut ProgressView) -> Result<Option<Value>, CliError> {
    let path = format!("/api/v2/public/imports/{id}/events");
    let mut response = client.send(Method::GET, &path).await?.error_for_status().await?;
    let (mut buffer, mut has_events) = (Vec::new(), false);
    while let Ok(Some(data)) = response.chunk().await {
        buffer.extend_from_slice(&data);
        while let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = buffer.drain(..end + 2).collect();
            let Some((name, import)) = parse(&String::from_utf8_lossy(&event)) else { continue };
            has_events = true;
            if name == "end" {
                return Ok(Some(import));
            }
            view.show(&import);
        }
    }
    if has_events { Ok(None) } else { Err("the connection ended".into()) }
}

/// Name and data of a server-sent event.
fn parse(event: &str) -> Option<(String, Value)> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some((field("event:")?.to_owned(), serde_json::from_str(field("data:")?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_whatever_stands_before_it() {
        let (name, import) = parse(": still there\n\nevent: end\ndata: {\"rows\":3}\n\n").unwrap();
        assert_eq!((name.as_str(), number(&import, "rows")), ("end", 3));
        assert!(parse(": still there\n\n").is_none());
    }
}
