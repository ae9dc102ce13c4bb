//! `keyferry serve`: starts, serves and drains the server.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use super::config::{LogFormat, LogSettings, ServeArgs, Settings, UnknownVariable};
use super::error::{CliError, CliResult, chain};
use super::exit::Exit;
use super::log::start_log;
use super::notices::Notices;
use super::peers;
use super::server::Server;
use super::signals::Signals;
use super::store_gauges::StoreGauges;
use keyferry_api::admin;
use keyferry_api::{Cores, HttpServer, HttpSettings, Tls, room_for_connections, router};
use keyferry_sandbox::watch;
use keyferry_telemetry::{Metrics, Prometheus, Traces};
use keyferry_types::path_text::ShowPath as _;
use keyferry_vault::KeyProvider;
use keyferry_webhooks::MOST_DELIVERIES;

/// Time between "not ready" and "no more connections", in which a load balancer can notice.
const READYZ_GRACE: Duration = Duration::from_millis(250);
/// Concurrent connections of the metrics listener.
const METRICS_CONNECTIONS: usize = 16;
/// Time from the signal for running rows of imports. The next process repeats a row that takes longer, once.
const LAST_ROWS: Duration = Duration::from_secs(2);
/// Concurrent connections of the admin API over TCP.
const ADMIN_CONNECTIONS: usize = 16;
/// Time from the signal for running deliveries to webhooks.
const LAST_DELIVERIES: Duration = Duration::from_secs(3);

pub(super) async fn run(args: ServeArgs, unknown: &[UnknownVariable]) -> CliResult {
    let file = args.folders.config.clone();
    let (log, notices) = (args.log(), Notices::new(args.log().format));
    let settings = args.preview().and_then(|mut settings| {
        check_addresses(&settings)?;
        settings.folders.data = settings.folders.data.opened()?;
        let traces = start_log(&settings.log, settings.otlp.as_ref())?;
        Ok((settings, traces))
    });
    let served = match settings {
        Ok((settings, traces)) => run_logged(&settings, file, unknown, traces, notices).await,
        Err(error) => {
            // With JSON, this error is a line of the log too.
            start_log(&log, None)?;
            Err(error)
        }
    };
    served.or_else(|error| {
        notices.error(&chain(error.as_ref()));
        Ok(Exit::Failed)
    })
}

/// Refuses addresses that cannot be listened on, before a data folder is created for a server that does not start.
fn check_addresses(settings: &Settings) -> Result<(), CliError> {
    let metrics = settings.metrics.map(|address| ("serve metrics", address));
    let admin = settings.admin.as_ref().map(|admin| ("listen to operators", admin.listen));
    let addresses = [("listen", settings.listen)].into_iter().chain(metrics).chain(admin);
    let bound = addresses
        .map(|(purpose, address)| TcpListener::bind(address).map_err(|error| cannot(purpose, address, &error)));
    // All at once: two of them can be the same.
    let _bound = bound.collect::<Result<Vec<_>, _>>()?;
    Ok(())
}

/// Writes an error before there are settings into a log in JSON.
pub(super) fn log_as_json(error: &str) {
    let Ok(filter) = "error".parse() else { return };
    if start_log(&LogSettings { format: LogFormat::Json, filter }, None).is_ok() {
        Notices::new(LogFormat::Json).error(error);
    }
}

/// Runs the server after its log was started.
async fn run_logged(
    settings: &Settings,
    file: Option<PathBuf>,
    unknown: &[UnknownVariable],
    traces: Option<Traces>,
    notices: Notices,
) -> CliResult {
    match file {
        Some(file) => tracing::info!(file = %file.shown(), "settings were read from a file"),
        None => tracing::info!("no settings file was read"),
    }
    let collector = settings.otlp.as_ref().filter(|otlp| otlp.signals.has_metrics());
    let prometheus = if settings.metrics.is_some() { Prometheus::Enabled } else { Prometheus::Disabled };
    let metrics = Metrics::start(prometheus, collector)?;
    for warning in keyferry_vault::harden() {
        notices.warn(&chain(&warning));
    }
    for variable in unknown {
        notices.warn(&variable.warning());
    }
    for warning in settings.warnings() {
        notices.warn(&warning);
    }
    let signals = Signals::listen()?;
    let starting = signals.exit_at_first();
    let server = Server::assemble(settings).await?;
    starting.abort();
    tell_of_files(settings, server.is_key_new);
    let (registry, store) = (Arc::clone(&server.registry), StoreGauges::new(&server.store));
    if settings.metrics.is_some() || collector.is_some() {
        tokio::spawn(store.clone().count_repeatedly());
    }
    let metrics = metrics.with_gauges(move || {
        registry.count_states();
        store.measure();
    });
    if let (Some(router), Some(listen)) = (metrics.router(), settings.metrics) {
        serve_metrics(router, listen, notices).await?;
    }
    let scheme = settings.scheme();
    let served = serve(server, settings, signals, |address| {
        notices.say(&format!("listening on {scheme}://{address}"));
    })
    .await;
    if let Some(traces) = traces {
        traces.finish().await;
    }
    metrics.finish().await;
    served
}

/// Serves metrics until the process exits, shutdown included.
async fn serve_metrics(router: Router, listen: SocketAddr, notices: Notices) -> Result<(), CliError> {
    let http = HttpSettings { max_connections: METRICS_CONNECTIONS, ..HttpSettings::default() };
    let server = HttpServer::bind(listen, http).await.map_err(|error| cannot("serve metrics", listen, &error))?;
    let address = server.local_addr()?;
    tokio::spawn(server.serve(router, None, None, std::future::pending()));
    notices.say(&format!("metrics at http://{address}/metrics"));
    Ok(())
}

/// Binds the listener of the admin API over TCP.
async fn bind_admin(listen: SocketAddr) -> Result<HttpServer, CliError> {
    let http = HttpSettings { max_connections: ADMIN_CONNECTIONS, ..HttpSettings::default() };
    let bound = HttpServer::bind(listen, http).await;
    Ok(bound.map_err(|error| cannot("listen to operators", listen, &error))?)
}

/// Serves until a signal, or until the store fails. Sends the bound address to `listening` when the server accepts requests.
pub(super) async fn serve(
    server: Server,
    settings: &Settings,
    signals: Signals,
    listening: impl FnOnce(SocketAddr),
) -> CliResult {
    let notices = Notices::new(settings.log.format);
    let tls = match settings.tls.clone() {
        Some(files) => Some(tokio::task::spawn_blocking(|| Tls::load(files)).await??),
        None => None,
    };
    if let Some(tls) = &tls {
        server.readiness.watch_certificate(Arc::clone(tls));
        tokio::spawn(Arc::clone(tls).follow());
    }
    // Until the store is closed: work that a request has left to others may still use what belongs to a core.
    let cores = Cores::start().map_err(|error| format!("cannot start a thread for each core: {error}"))?;
    let mut http = settings.http.clone();
    let room = room_for_connections(settings.limits.slots + MOST_DELIVERIES + cores.descriptors());
    if room < http.max_connections {
        // The store and providers need the rest, which clients must not be able to use up.
        notices.warn(&format!(
            "the limit of open files leaves room for {room} connections at once; raise it (`ulimit -n`) for {}",
            http.max_connections
        ));
        http.max_connections = room;
    }
    let listener =
        HttpServer::bind(settings.listen, http).await.map_err(|error| cannot("listen", settings.listen, &error))?;
    let address = listener.local_addr()?;
    let operator = admin::Operator {
        store: Some(Arc::clone(&server.store)),
        vault: Some(Arc::clone(&server.vault)),
        registry: Some(Arc::clone(&server.registry)),
        shared_plugins: server.shared_plugins.clone(),
        known_keys: Some(Arc::clone(&server.known_keys)),
        warnings: tls.clone().map(|tls| -> admin::Warnings { Arc::new(move || tls.warnings()) }),
    };
    let _socket = admin::listen(&settings.folders.data.socket(), operator.clone())?;
    let operators = match &settings.admin {
        Some(tcp) => {
            let http = bind_admin(tcp.listen).await?;
            notices.say(&format!("operators at {}://{}/admin/v1", settings.scheme(), http.local_addr()?));
            Some((http, admin::guarded(operator, tcp.token()?)))
        }
        None => None,
    };
    tokio::spawn(watch(Arc::clone(&server.registry)));
    if let Some(shared) = &server.shared_plugins {
        tokio::spawn(Arc::clone(shared).follow());
    }
    tokio::spawn(peers::follow(Arc::clone(&server.store), Arc::clone(&server.vault)));

    let mut fatal = server.store.fatal();
    let readiness = Arc::clone(&server.readiness);
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
    let stopping = || {
        let mut stopped = stopped.clone();
        async move {
            let _ = stopped.wait_for(Option::is_some).await;
        }
    };
    let deliveries = tokio::spawn(server.deliverer.run(stopping()));
    server.importer.resume().await?;
    let (importer, ending) = (Arc::clone(&server.importer), stopping());
    // Concurrent with the running requests: neither waits for the other.
    let last = tokio::spawn(async move {
        ending.await;
        let began = tokio::time::Instant::now();
        // Started rows are settled if they end in time; the next process resumes the others.
        importer.stop(LAST_ROWS).await;
        // Finished deliveries are recorded before the store closes. An unfinished delivery is repeated by the next process.
        let _ = tokio::time::timeout_at(began + LAST_DELIVERIES, deliveries).await;
    });
    let operators = operators.map(|(http, router)| tokio::spawn(http.serve(router, tls.clone(), None, stopping())));
    server.readiness.set_serving();
    listening(address);
    listener.serve(router(server.api, &settings.cors), tls, Some(&cores), stopping()).await;
    if let Some(operators) = operators {
        // What an operator has begun is finished before the store is closed.
        let _ = operators.await;
    }
    let stop = stopped.borrow().clone();
    if let Some(Stop::Store(reason)) = stop {
        return Err(format!("the store failed and the server has stopped: {reason}").into());
    }
    let _ = last.await;
    server.store.close().await?;
    tracing::info!("stopped; everything is on disk");
    Ok(Exit::Done)
}

/// Why the server stops.
#[derive(Debug, Clone)]
enum Stop {
    Signal,
    Store(String),
}

/// Logs where the data and the key-encryption key are: without that file, a backup of the store is worth nothing.
fn tell_of_files(settings: &Settings, is_key_new: bool) {
    let folder = settings.folders.data.path().shown();
    if settings.folders.data.is_new() {
        tracing::info!(%folder, "created the data folder");
    }
    let KeyProvider::File(file) = &settings.folders.key else { return };
    let file = file.shown();
    if is_key_new {
        tracing::warn!(%file, "created the key-encryption key: back it up, apart from the store; without it nothing in the store opens");
    } else {
        tracing::info!(%file, "the key-encryption key; without it nothing in the store opens: keep a backup of it, apart from the store");
    }
}

/// Why an address cannot be listened on, and what to do.
fn cannot(listen: &str, address: SocketAddr, error: &io::Error) -> String {
    let hint = match error.kind() {
        ErrorKind::AddrInUse => "; another process listens there: stop it, or name another address",
        ErrorKind::AddrNotAvailable => "; no network of this machine has this address",
        ErrorKind::PermissionDenied => "; ports below 1024 need a privilege: name another port",
        _ => "",
    };
    format!("cannot {listen} on {address}: {error}{hint}")
}
