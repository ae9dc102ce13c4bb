//! One runtime with many threads, and reqwest.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keyferry_mock_providers::apps::demo::STRIPE_HOST;
use reqwest::Client;
use tokio::net::TcpListener;

use super::job::{Failed, Job, response};
use super::settings::FloorSettings;
use super::tls;

/// Serves, and prints the address once.
pub(super) fn serve(
    settings: &FloorSettings,
    job: Job,
    listening: impl FnOnce(SocketAddr) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls::client(&settings.ca)?)
        .no_proxy()
        .http1_only()
        .resolve(STRIPE_HOST, settings.provider)
        .build()?;
    let shared = Arc::new(Shared { job, client, url: format!("https://{STRIPE_HOST}/v1/account") });
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        listening(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let shared = Arc::clone(&shared);
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<Response<Full<Bytes>>, Infallible>(response(shared.carry_out(request).await)) }
            });
            tokio::spawn(async move {
                // A client that disconnects is an ordinary end.
                let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

/// The state that all requests share.
struct Shared {
    job: Job,
    client: Client,
    url: String,
}

impl Shared {
    async fn carry_out(&self, request: Request<Incoming>) -> Result<(), Failed> {
        let (parts, body) = request.into_parts();
        let begun = self.job.begin(&parts.headers, &body.collect().await?.to_bytes())?;
        let authorization = format!("Bearer {}", begun.secret);
        let request = self.client.get(&self.url).header(header::AUTHORIZATION, authorization);
        let answer = request.send().await?.error_for_status()?.bytes().await?;
        self.job.finish(begun, &answer).await
    }
}
