//! `keyferry serve`: starts, serves and drains the server.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::signal::unix::{SignalKind, signal};

use super::log::start_log;
use super::node::Node;
use super::settings::{ServeArgs, Settings};
use super::{CliError, CliResult, term};
use keyferry_api::admin;
use keyferry_api::{HttpServer, HttpSettings, Tls, room_for_connections, router};
use keyferry_egress::Loopback;
use keyferry_sandbox::{GrantPolicy, watch};
use keyferry_telemetry::{Metrics, Page};
use keyferry_types::path_text::ShowPath as _;
use keyferry_webhooks::MOST_DELIVERIES;

/// Between "not ready" and "no more connections", so that a load balancer can notice.
const READYZ_GRACE: Duration = Duration::from_millis(250);
/// Connections at once that metrics are asked for on.
const METRICS_CONNECTIONS: usize = 16;
/// How long rows of imports are waited for, from the signal on. Whatever takes longer is done again, once.
const LAST_ROWS: Duration = Duration::from_secs(2);
/// Connections at once of operators.
const OPERATORS_CONNECTIONS: usize = 16;
/// How long deliveries to webhooks are waited for, from the signal on.
const LAST_DELIVERIES: Duration = Duration::from_secs(3);

pub(super) async fn run(args: ServeArgs) -> CliResult {
    let file = args.folders.config.clone();
    let settings = args.settings()?;
    let traces = start_log(&settings.log, settings.otlp.as_ref())?;
    match file {
        Some(file) => tracing::info!(file = %file.shown(), "settings were read from a file"),
        None => tracing::info!("no settings file was read"),
    }
    let collector = settings.otlp.as_ref().filter(|otlp| otlp.signals.has_metrics());
    let page = if settings.metrics.is_some() { Page::Told } else { Page::Untold };
    let metrics = Metrics::start(page, collector)?;
    for warning in keyferry_vault::harden() {
        term::warning(&term::chain(&warning));
    }
    warn_of_development(&settings);
    let signals = Signals::listen()?;
    let starting = signals.end_at_first();
    let node = Node::assemble(&settings).await?;
    starting.abort();
    let registry = Arc::clone(&node.registry);
    let metrics = metrics.looking(move || registry.count_states());
    if let (Some(page), Some(listen)) = (metrics.router(), settings.metrics) {
        tell_metrics(page, listen).await?;
    }
    let scheme = settings.scheme();
    let served = serve(node, &settings, signals, |address| {
        term::print(&format!("listening on {scheme}://{address}"));
    })
    .await;
    if let Some(traces) = traces {
        traces.finish().await;
    }
    metrics.finish().await;
    served
}

/// Serves metrics until the process exits, shutdown included.
async fn tell_metrics(page: Router, listen: SocketAddr) -> Result<(), CliError> {
    // Few ask, and none of them for long.
    let http = HttpSettings { max_connections: METRICS_CONNECTIONS, ..HttpSettings::default() };
    let server =
        HttpServer::bind(listen, http).await.map_err(|error| format!("cannot serve metrics on {listen}: {error}"))?;
    let address = server.local_addr()?;
    tokio::spawn(server.serve(page, None, std::future::pending()));
    term::print(&format!("metrics at http://{address}/metrics"));
    Ok(())
}

/// Where operators are listened to besides the socket.
async fn bind_for_operators(listen: SocketAddr) -> Result<HttpServer, CliError> {
    let http = HttpSettings { max_connections: OPERATORS_CONNECTIONS, ..HttpSettings::default() };
    let bound = HttpServer::bind(listen, http).await;
    Ok(bound.map_err(|error| format!("cannot listen to operators on {listen}: {error}"))?)
}

/// Serves until a signal, or until the store fails. Sends the bound address to `listening` when the server accepts requests.
pub(super) async fn serve(
    node: Node,
    settings: &Settings,
    signals: Signals,
    listening: impl FnOnce(SocketAddr),
) -> CliResult {
    let tls = match settings.tls.clone() {
        Some(files) => Some(tokio::task::spawn_blocking(|| Tls::load(files)).await??),
        None => None,
    };
    if let Some(tls) = &tls {
        node.readiness.watch_certificate(Arc::clone(tls));
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
        warnings: tls.clone().map(|tls| -> admin::Warnings { Arc::new(move || tls.warnings()) }),
    };
    let _socket = admin::listen(&settings.folders.data.socket(), operator.clone())?;
    let operators = match &settings.admin {
        Some(listener) => {
            let server = bind_for_operators(listener.listen).await?;
            term::print(&format!("operators at {}://{}/admin/v1", settings.scheme(), server.local_addr()?));
            Some((server, admin::guarded(operator, listener.token()?)))
        }
        None => None,
    };
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
        tracing::warn!("second signal: ended with running requests; every acknowledged write is on disk");
        std::process::exit(1);
    });
    let mut shutdown = stopped.clone();
    let mut ending = stopped.clone();
    let deliveries = tokio::spawn(node.deliverer.run(async move {
        let _ = ending.wait_for(Option::is_some).await;
    }));
    node.importer.resume().await?;
    let (importer, mut ending) = (Arc::clone(&node.importer), stopped.clone());
    // Beside the requests under way: neither waits for the other.
    let last = tokio::spawn(async move {
        let _ = ending.wait_for(Option::is_some).await;
        let began = tokio::time::Instant::now();
        // Started rows are settled if they end in time; the next process resumes the others.
        importer.stop(LAST_ROWS).await;
        // Finished deliveries are recorded before the store closes. An unfinished delivery is repeated by the next process.
        let _ = tokio::time::timeout_at(began + LAST_DELIVERIES, deliveries).await;
    });
    let operators = operators.map(|(server, router)| {
        let mut ending = stopped.clone();
        tokio::spawn(server.serve(router, tls.clone(), async move {
            let _ = ending.wait_for(Option::is_some).await;
        }))
    });
    node.readiness.set_serving();
    listening(address);
    server
        .serve(router(node.api, &settings.cors), tls, async move {
            let _ = shutdown.wait_for(Option::is_some).await;
        })
        .await;

    if let Some(operators) = operators {
        // What an operator has begun is finished before the store is closed.
        let _ = operators.await;
    }
    let stop = stopped.borrow().clone();
    if let Some(Stop::Store(reason)) = stop {
        return Err(format!("the store failed and the server has stopped: {reason}").into());
    }
    let _ = last.await;
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

    /// Has the first signal end the process at once, until the task that it returns is aborted: for a start that something holds up,
    /// whichever thread waits for it. What is on disk is whole at any moment.
    fn end_at_first(&self) -> tokio::task::JoinHandle<()> {
        let mut count = self.count.clone();
        tokio::spawn(async move {
            if count.wait_for(|seen| *seen >= 1).await.is_ok() {
                tracing::info!("stopped by a signal before it served");
                std::process::exit(0);
            }
        })
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

fn warn_of_development(settings: &Settings) {
    if !settings.egress.dev_resolve.is_empty() {
        let count = settings.egress.dev_resolve.len();
        term::warning(&format!("--dev-resolve: only {count} names exist for plugins, at the addresses given here"));
    }
    if settings.egress.loopback == Loopback::AllowedForDevelopment {
        term::warning("--dev-allow-loopback: plugins and webhooks can reach services on this machine");
    }
    if let Some(file) = &settings.egress.ca_file {
        term::warning(&format!("--egress-ca: providers with a certificate by {} are believed", file.shown()));
    }
    if settings.grants == GrantPolicy::OnDrop {
        let folder = settings.folders.plugins.shown();
        term::warning(&format!(
            "--grant-on-drop: any user with write access to {folder} decides where credentials are sent"
        ));
    }
}
