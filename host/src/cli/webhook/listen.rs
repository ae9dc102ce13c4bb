//! `keyferry webhook listen`: receives deliveries on this machine and says whether their signatures are right.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::StatusCode;
use tokio::sync::{mpsc, oneshot};
use url::Url;

use super::delivery::Delivery;
use super::forward::Forward;
use super::receiver::Receiver;
use super::registration::{Event, Registration};
use crate::cli::api_client::{ApiClient, ServerArgs};
use crate::cli::config::listen_address;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::cli::stdout::stdout;
use crate::cli::term;
use keyferry_api::{HttpServer, HttpSettings};
use keyferry_types::bounded_file::{self, LINE};
use keyferry_types::ids::Slug;
use keyferry_types::path_text::ShowPath as _;
use keyferry_types::secret::Secret;

/// The environment variable of the signing secret.
const SECRET_VARIABLE: &str = "KEYFERRY_WEBHOOK_SECRET";
/// Concurrent connections.
const CONNECTIONS: usize = 32;
/// The longest wait for running deliveries at the end.
const LAST_DELIVERIES: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(in crate::cli) struct ListenArgs {
    /// The address to receive at; port 0 is a free port.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0", value_parser = listen_address)]
    listen: SocketAddr,

    /// The URL to register, if the server reaches this command by another one, as through a tunnel [default: http:// and the
    /// address].
    #[arg(long, value_name = "URL")]
    url: Option<Url>,

    /// The events to register for. Separate several by commas.
    #[arg(long, value_name = "EVENT", value_delimiter = ',', default_values = ["created", "deleted", "expired"])]
    events: Vec<Event>,

    /// Register for events of this app only.
    #[arg(long, value_name = "APP")]
    slug: Option<Slug>,

    /// Register nothing: check deliveries with the signing secret in this file [default: the environment variable
    /// KEYFERRY_WEBHOOK_SECRET; without both a webhook is registered, and deleted at the end].
    #[arg(long, value_name = "FILE", env = "KEYFERRY_WEBHOOK_SECRET_FILE")]
    secret_file: Option<PathBuf>,

    /// Send each delivery on to this URL, and respond with the status that it responds with.
    #[arg(long, value_name = "URL", conflicts_with = "respond")]
    forward_to: Option<Url>,

    /// The status to respond with. The server repeats a delivery after every other status than 200.
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    respond: u16,

    /// End after this many deliveries [default: at Ctrl-C].
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU32>,

    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: ListenArgs) -> CliResult {
    let signals = Signals::listen_to_hangup_too()?;
    let forward = args.forward_to.as_ref().map(Forward::to).transpose()?;
    let status = StatusCode::from_u16(args.respond)?;
    let http = HttpSettings { max_connections: CONNECTIONS, ..HttpSettings::default() };
    let http = HttpServer::bind(args.listen, http)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let address = http.local_addr()?;
    let (registration, secret) = match secret(args.secret_file.as_deref())? {
        Some(secret) => (None, secret),
        None => {
            let url = match &args.url {
                Some(url) => url.clone(),
                None => format!("http://{address}/").parse()?,
            };
            let client = ApiClient::new(&args.server)?;
            let (registration, secret) = tokio::select! {
                made = Registration::create(client, &url, &args.events, args.slug.as_ref()) => made?,
                () = signals.first() => {
                    term::warning("stopped before the server responded; `keyferry webhook list` shows whether a webhook was made");
                    return Ok(Exit::Interrupted);
                }
            };
            (Some(registration), secret)
        }
    };
    let (sender, mut deliveries) = mpsc::channel(CONNECTIONS);
    let (stop, stopped) = oneshot::channel::<()>();
    let router = Receiver { secret, forward, status, deliveries: sender }.router();
    let serving = tokio::spawn(http.serve(router, None, None, async move {
        let _ = stopped.await;
    }));
    term::progress(&match &registration {
        Some(registration) => {
            format!(
                "listening on http://{address}/ as webhook {}; Ctrl-C ends it and deletes the webhook",
                registration.id
            )
        }
        None => format!("listening on http://{address}/; Ctrl-C ends it"),
    });
    let mut left = args.count.map(NonZeroU32::get);
    while left != Some(0) {
        tokio::select! {
            () = signals.first() => break,
            Some(delivery) = deliveries.recv() => {
                // The reader has closed the pipe (`| head`).
                if print(&delivery, args.json).is_err() {
                    break;
                }
                left = left.map(|left| left - 1);
            }
        }
    }
    let deleted = async move {
        match registration {
            Some(registration) => registration.delete().await,
            None => Ok(()),
        }
    };
    let deleted = tokio::select! {
        deleted = deleted => deleted,
        () = signals.second() => return Ok(Exit::Interrupted),
    };
    let _ = stop.send(());
    drop(deliveries);
    let _ = tokio::time::timeout(LAST_DELIVERIES, serving).await;
    deleted.map(|()| Exit::Done)
}

fn print(delivery: &Delivery, json: bool) -> io::Result<()> {
    let line = if json { serde_json::to_string(delivery)? } else { delivery.line() };
    writeln!(stdout(), "{line}")
}

/// The signing secret of a webhook that is registered already.
fn secret(file: Option<&Path>) -> Result<Option<Secret>, CliError> {
    let Some(path) = file else {
        let set = std::env::var(SECRET_VARIABLE).ok().filter(|text| !text.trim().is_empty());
        return Ok(set.map(|text| Secret::new(text.trim())));
    };
    let wrong = |error: std::io::Error| format!("{}: {error}", path.shown());
    let content = bounded_file::read_input(path, LINE).map_err(wrong)?;
    match content.text().map_err(wrong)?.trim() {
        "" => Err(format!("{} holds no signing secret", path.shown()).into()),
        text => Ok(Some(Secret::new(text))),
    }
}
