//! `keyferry serve`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::node::Node;
use super::settings::{LogFormat, ServeArgs, Settings};
use super::{CliError, CliResult, term};
use crate::admin;
use crate::egress::Loopback;
use crate::http::{HttpServer, Tls, room_for_connections, router};
use crate::plugins::{GrantPolicy, watch};
use crate::webhooks::MOST_DELIVERIES;

/// Between "not ready" and "no more connections", so that a load balancer can notice.
const READYZ_GRACE: Duration = Duration::from_millis(250);
/// How long deliveries to webhooks are waited for at the end.
const LAST_DELIVERIES: Duration = Duration::from_secs(5);

pub(super) async fn run(args: ServeArgs) -> CliResult {
    let settings = args.settings()?;
    start_log(settings.log_format, "info");
    for warning in crate::vault::harden() {
        term::warning(&term::chain(&warning));
    }
    warn_of_development(&settings);
    let signals = Signals::listen()?;
    let node = Node::assemble(&settings).await?;
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    serve(node, &settings, signals, |address| {
        term::print(&format!("listening on {scheme}://{address}"));
    })
    .await
}

/// Serves until a signal, or until the store fails. `listening` is told the address when requests can come.
pub(super) async fn serve(
    node: Node,
    settings: &Settings,
    signals: Signals,
    listening: impl FnOnce(std::net::SocketAddr),
) -> CliResult {
    let tls = settings.tls.clone().map(Tls::load).transpose()?;
    if let Some(tls) = &tls {
        tokio::spawn(Arc::clone(tls).follow());
    }
    let mut http = settings.http.clone();
    let room = room_for_connections(settings.limits.slots + MOST_DELIVERIES);
    if room < http.max_connections {
        // The rest is for the store and for providers, which clients must not be able to use up.
        term::warning(&format!(
            "the limit of open files leaves room for {room} connections at once; raise it (`ulimit -n`) for {}",
            http.max_connections
        ));
        http.max_connections = room;
    }
    let server = HttpServer::bind(settings.listen, http)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", settings.listen))?;
    let address = server.local_addr()?;
    let operator = admin::Operator {
        store: Some(Arc::clone(&node.safe.store)),
        vault: Some(Arc::clone(&node.safe.vault)),
        registry: Some(Arc::clone(&node.registry)),
    };
    let _socket = admin::listen(&settings.folders.data.socket(), operator)?;
    tokio::spawn(watch(Arc::clone(&node.registry)));

    let mut fatal = node.safe.store.fatal();
    let readiness = Arc::clone(&node.readiness);
    let (stop, stopped) = tokio::sync::watch::channel(None::<Stop>);
    tokio::spawn(async move {
        let reason = tokio::select! {
            () = signals.first() => Stop::Signal,
            reason = fatal.failed() => Stop::Store(reason.to_string()),
        };
        readiness.set_draining();
        if matches!(reason, Stop::Signal) {
            tracing::info!("shutting down; a second signal ends it at once");
            tokio::time::sleep(READYZ_GRACE).await;
        }
        let _ = stop.send(Some(reason));
        signals.second().await;
        tracing::warn!("second signal: ended with requests under way; what was answered is on disk");
        std::process::exit(1);
    });
    let mut shutdown = stopped.clone();
    let mut ending = stopped.clone();
    let deliveries = tokio::spawn(node.deliverer.run(async move {
        let _ = ending.wait_for(Option::is_some).await;
    }));
    node.readiness.set_serving();
    listening(address);
    server
        .serve(router(node.api), tls, async move {
            let _ = shutdown.wait_for(Option::is_some).await;
        })
        .await;

    let stop = stopped.borrow().clone();
    if let Some(Stop::Store(reason)) = stop {
        return Err(format!("the store failed and the server has stopped: {reason}").into());
    }
    // Whatever was delivered is written down before the store is closed. What takes longer is told again.
    let _ = tokio::time::timeout(LAST_DELIVERIES, deliveries).await;
    node.safe.store.close().await?;
    tracing::info!("stopped; everything is on disk");
    Ok(ExitCode::SUCCESS)
}

/// Why the server stops.
#[derive(Debug, Clone)]
enum Stop {
    Signal,
    Store(String),
}

/// The signals that end a server, listened to before it starts so that none is missed.
pub(super) struct Signals {
    count: tokio::sync::watch::Receiver<u32>,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, CliError> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, count) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                sender.send_modify(|count| *count += 1);
            }
        });
        Ok(Self { count })
    }

    async fn reached(&self, count: u32) {
        if self.count.clone().wait_for(|seen| *seen >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn first(&self) {
        self.reached(1).await;
    }

    async fn second(&self) {
        self.reached(2).await;
    }
}

/// `KEYFERRY_LOG` takes the filter syntax of tracing-subscriber: `debug`, `keyferry::egress=trace,info`.
pub(super) fn start_log(format: LogFormat, default: &str) {
    let filter = EnvFilter::try_from_env("KEYFERRY_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr);
    // AWS' client traces answers, and where a variable of its own (`LOG_SENSITIVE_BODIES`) is set, the keys in them.
    let no_keys = filter_fn(|event| *event.level() < Level::TRACE || !event.target().starts_with("aws_"));
    // A second start in one process (tests) keeps the first log.
    let _ = match format {
        LogFormat::Text => builder.finish().with(no_keys).try_init(),
        LogFormat::Json => builder.json().finish().with(no_keys).try_init(),
    };
}

fn warn_of_development(settings: &Settings) {
    if !settings.egress.dev_resolve.is_empty() {
        let count = settings.egress.dev_resolve.len();
        term::warning(&format!("--dev-resolve: only {count} names exist for plugins, at the addresses given here"));
    }
    if settings.egress.loopback == Loopback::AllowedForDevelopment {
        term::warning("--dev-allow-loopback: plugins and webhooks can reach services on this machine");
    }
    if let Some(file) = &settings.egress.ca_file {
        term::warning(&format!("--egress-ca: providers with a certificate by {} are believed", file.display()));
    }
    if settings.grants == GrantPolicy::OnDrop {
        let folder = settings.folders.plugins.display();
        term::warning(&format!("--grant-on-drop: whoever can write to {folder} decides where credentials are sent"));
    }
}
