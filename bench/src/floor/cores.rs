//! One runtime per core, each with a listener and connections to the provider of its own: only the commit of a request
//! wakes another thread.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;

use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keyferry_mock_providers::apps::demo::STRIPE_HOST;
use rustls_pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsConnector;

use super::job::{Failed, Job, response};
use super::settings::FloorSettings;
use super::tls;

/// The backlog of the listener.
const BACKLOG: u32 = 1024;

/// Serves on one thread per core, and prints the address once.
pub(super) fn serve(
    settings: &FloorSettings,
    job: Job,
    listening: impl FnOnce(SocketAddr) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let (job, connector) = (Arc::new(job), TlsConnector::from(Arc::new(tls::client(&settings.ca)?)));
    let first = socket(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..thread::available_parallelism()?.get() {
        sockets.push(socket(address)?);
    }
    let (sender, all_listen) = mpsc::channel();
    let mut cores = Vec::new();
    for socket in sockets {
        let (job, provider, listens) =
            (Arc::clone(&job), Provider::new(connector.clone(), settings.provider)?, sender.clone());
        cores.push(thread::spawn(move || core(socket, job, provider, listens)));
    }
    drop(sender);
    // A thread that fails before it listens returns its error below.
    if all_listen.iter().count() == cores.len() {
        listening(address)?;
    }
    cores.into_iter().try_for_each(|core| core.join().map_err(|_| "a core has ended")?)
}

/// Several sockets are bound to the same port.
fn socket(address: SocketAddr) -> Result<TcpSocket, Failed> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Signals that it listens.
fn core(socket: TcpSocket, job: Arc<Job>, provider: Provider, listens: mpsc::Sender<()>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        let (listener, connections) =
            (socket.listen(BACKLOG)?, Rc::new(Connections { provider, idle: RefCell::default() }));
        listens.send(())?;
        drop(listens);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (job, connections) = (Arc::clone(&job), Rc::clone(&connections));
            let service = service_fn(move |request| {
                let (job, connections) = (Arc::clone(&job), Rc::clone(&connections));
                async move {
                    Ok::<Response<Full<Bytes>>, Infallible>(response(carry_out(&job, &connections, request).await))
                }
            });
            spawn_local(async move {
                // A client that disconnects is an ordinary end.
                let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

async fn carry_out(job: &Job, connections: &Connections, request: Request<Incoming>) -> Result<(), Failed> {
    let (parts, body) = request.into_parts();
    let begun = job.begin(&parts.headers, &body.collect().await?.to_bytes())?;
    let answer = connections.ask(&begun.secret).await?;
    job.finish(begun, &answer).await
}

/// The provider's address and its trusted authority.
struct Provider {
    connector: TlsConnector,
    name: ServerName<'static>,
    address: SocketAddr,
}

impl Provider {
    fn new(connector: TlsConnector, address: SocketAddr) -> Result<Self, Failed> {
        Ok(Self { connector, name: ServerName::try_from(STRIPE_HOST)?, address })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failed> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.connector.connect(self.name.clone(), stream).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        spawn_local(connection);
        Ok(sender)
    }
}

/// The pool of connections to the provider.
struct Connections {
    provider: Provider,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
}

impl Connections {
    async fn ask(&self, secret: &str) -> Result<Bytes, Failed> {
        let idle = || self.idle.borrow_mut().pop();
        let mut sender = match std::iter::from_fn(idle).find(SendRequest::is_ready) {
            Some(sender) => sender,
            None => self.provider.connect().await?,
        };
        let request = Request::get("/v1/account")
            .header(header::HOST, STRIPE_HOST)
            .header(header::AUTHORIZATION, format!("Bearer {secret}"))
            .body(Full::new(Bytes::new()))?;
        let answer = sender.send_request(request).await?;
        if !answer.status().is_success() {
            return Err(format!("the provider answered {}", answer.status()).into());
        }
        let answer = answer.into_body().collect().await?.to_bytes();
        self.idle.borrow_mut().push(sender);
        Ok(answer)
    }
}
