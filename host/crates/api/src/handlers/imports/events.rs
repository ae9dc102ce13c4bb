//! Progress as it happens: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Authorized, Key, Read};
use crate::error::api_error::ApiError;
use crate::error::problem;
use crate::handlers::imports::failure::failure;
use crate::handlers::imports::key::key;
use crate::request::parameters::InPath;
use crate::responses::Import;
use crate::state::Api;
use keyferry_store::{ImportKey, ImportState, Timestamp};

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(500);
/// The interval of keep-alive comments, so that no proxy closes the connection as idle.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// One server-sent event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "an event is text, and this its description")]
pub(crate) struct ImportEvent {
    /// `progress`, or `end` for the last one.
    event: String,
    /// The import in JSON.
    data: String,
}

/// `GET /{id}/events`.
#[utoipa::path(
    get, path = "/api/v2/public/imports/{id}/events", operation_id = "watchImport", tag = "Imports",
    summary = "Watch an import",
    description = "Server-sent events: `progress` with the import as `GET` shows it, at most twice a second and only when something \
        has changed, and `end` with the final state when no work is left. The stream also ends when the API key is revoked or \
        expires. Takes an API key with the scope `read`.",
    params(("id" = String, Path, description = "The import's id.", min_length = 1)),
    responses((status = 200, description = "The events.", body = ImportEvent, content_type = "text/event-stream")),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::IMPORT_UNKNOWN,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: Key(known), .. }: Authorized<Key, Read>,
    InPath(id): InPath<String>,
) -> Result<Response, ApiError> {
    let key = key(&caller, &id)?;
    api.importer.show(&key).await.map_err(failure)?;
    let (said, said_at) = (String::new(), Instant::now());
    let watch = Watch { api: Arc::clone(&api), api_key: known.hash, key, said, said_at, ended: false };
    let events = stream::unfold(watch, |mut watch| async move {
        watch.next().await.map(|event| (Ok::<_, Infallible>(event), watch))
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct Watch {
    api: Arc<Api>,
    /// The hash of the caller's API key.
    api_key: [u8; 32],
    key: ImportKey,
    said: String,
    said_at: Instant,
    ended: bool,
}

impl Watch {
    /// The next event; none at the end, where the server is about to stop, or once the API key is no longer valid.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        loop {
            if !self.said.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
            if self.api.readiness.is_draining() {
                return None;
            }
            let now = Timestamp::now();
            self.api.keys.get(&self.api_key, now).await.ok()?.filter(|key| key.is_live(now))?;
            let view = self.api.importer.show(&self.key).await.ok()?;
            let json = serde_json::to_string(&Import::new(&view)).ok()?;
            self.ended = !matches!(
                view.record.state,
                ImportState::Receiving | ImportState::Running | ImportState::Undoing | ImportState::Deleting
            );
            if json != self.said || self.ended {
                let name = if self.ended { "end" } else { "progress" };
                let event = format!("event: {name}\ndata: {json}\n\n");
                (self.said, self.said_at) = (json, Instant::now());
                return Some(event.into());
            }
            if self.said_at.elapsed() >= SIGN_OF_LIFE {
                self.said_at = Instant::now();
                return Some(Bytes::from_static(b": still there\n\n"));
            }
        }
    }
}
