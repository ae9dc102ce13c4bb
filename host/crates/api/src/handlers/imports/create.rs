//! A file that is sent.

use std::sync::Arc;

use axum::extract::multipart::Field;
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use http::{HeaderMap, StatusCode, header};
use tokio::sync::mpsc;

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Authorized, Key, Migrate};
use crate::error::api_error::ApiError;
use crate::error::problem;
use crate::handlers::imports::failure::failure;
use crate::handlers::imports::options::{ImportQuery, Options};
use crate::middleware::detach_on_drop::to_its_end;
use crate::middleware::trace::RequestId;
use crate::request::repeated::{self, Conflict};
use crate::responses::Import;
use crate::responses::json::Json;
use crate::state::Api;
use keyferry_imports::NewImport;
use keyferry_imports::input::RowFormat;
use keyferry_schema::is_unfit;
use keyferry_service::Caller;
use keyferry_store::ImportRecord;

/// Bytes of an option that is sent as a part.
const LARGEST_OPTION: usize = 64 * 1024;

/// `POST`: takes a file in.
///
/// The work completes even if the caller disconnects after sending the file.
#[utoipa::path(
    post, path = "/api/v2/public/imports", operation_id = "createImport", tag = "Imports",
    summary = "Import many credentials",
    description = include_str!("../../openapi/import.md"),
    params(ImportQuery),
    request_body(description = "The file: NDJSON, a JSON array or CSV, as it is or packed by gzip or zstd. As \
        `multipart/form-data` it is the part `file`, and the options can be parts before it.", content(
        (String = "application/x-ndjson"), (String = "application/json"), (String = "text/csv"),
        (String = "application/octet-stream"), (String = "multipart/form-data"),
    )),
    responses((status = 202, description = "All of the file is in the ledger, and its rows are being worked on.", body = Import)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_QUERY, problem::BODY_INCOMPLETE, problem::BODY_TIMEOUT,
        problem::FILE_INVALID, problem::FILE_KNOWN, problem::TOO_MANY_UPLOADS, problem::SERVER_STOPPING,
        problem::PREFERENCE_NOT_ALLOWED, problem::KEYS_LOCKED, problem::CONTENDED, problem::NO_SPACE,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Migrate>,
    id: RequestId,
    request: Request,
) -> Result<Response, ApiError> {
    let importing = Arc::clone(&api);
    let record = to_its_end(async move { receive(&importing, caller, id, request).await }).await??;
    let view = api.importer.show(&record.key).await.map_err(failure)?;
    let mut response = (StatusCode::ACCEPTED, Json(Import::new(&view))).into_response();
    if let Ok(location) = format!("/api/v2/public/imports/{}", record.key.id).parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn receive(api: &Api, caller: Caller, id: RequestId, request: Request) -> Result<ImportRecord, ApiError> {
    let mut options = Options::from_query(request.uri().query())?;
    let content_type = content_type(request.headers())?;
    if content_type.as_deref() == Some("multipart/form-data") {
        return receive_parts(api, caller, id, options, request).await;
    }
    options.reading.format = content_type.as_deref().and_then(RowFormat::from_content_type);
    let new = new(caller, id, options);
    api.importer.receive(new, request.into_body().into_data_stream()).await.map_err(failure)
}

/// Options come before the file: it is read as it arrives.
async fn receive_parts(
    api: &Api,
    caller: Caller,
    id: RequestId,
    mut options: Options,
    request: Request,
) -> Result<ImportRecord, ApiError> {
    let broken = |error: &dyn std::fmt::Display| {
        ApiError::new(&problem::BODY_INCOMPLETE, format!("the request body could not be read: {error}"))
    };
    let mut parts = Multipart::from_request(request, &()).await.map_err(|error| broken(&error))?;
    while let Some(mut part) = parts.next_field().await.map_err(|error| broken(&error))? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            options.file = options.file.or_else(|| part.file_name().map(base_name));
            let format = part.content_type().and_then(RowFormat::from_content_type);
            let format = format.or_else(|| options.file.as_deref().and_then(RowFormat::from_file_name));
            options.reading.format = format;
            let new = new(caller, id, options);
            let (sender, stream) = file_channel();
            let receiving = api.importer.receive(new, stream);
            tokio::pin!(receiving);
            tokio::select! {
                received = &mut receiving => return received.map_err(failure),
                () = forward(part, &sender) => {}
            }
            tokio::select! {
                received = &mut receiving => return received.map_err(failure),
                () = refuse_more(parts, sender) => {}
            }
            return receiving.await.map_err(failure);
        }
        let mut value = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(|error| broken(&error))? {
            value.extend_from_slice(&chunk);
            if value.len() > LARGEST_OPTION {
                return Err(ApiError::new(&problem::FILE_INVALID, "a part before the file is too large for an option"));
            }
        }
        options.set(&name, &String::from_utf8_lossy(&value))?;
    }
    Err(ApiError::new(&problem::FILE_INVALID, "there is no part `file`"))
}

type Sent = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A stream of the file's bytes, and what fills it.
fn file_channel() -> (mpsc::Sender<Sent>, impl Stream<Item = Sent> + Send + Unpin) {
    let (sender, mut receiver) = mpsc::channel(1);
    (sender, stream::poll_fn(move |cx| receiver.poll_recv(cx)))
}

/// Sends on what the part `file` holds.
async fn forward(mut part: Field<'_>, sender: &mpsc::Sender<Sent>) {
    while let Some(chunk) = part.next().await {
        if sender.send(chunk.map_err(Into::into)).await.is_err() {
            return;
        }
    }
}

/// Ends the file. A part after it could be an option that would have changed how its rows are dealt with.
async fn refuse_more(mut parts: Multipart, sender: mpsc::Sender<Sent>) {
    let error = match parts.next_field().await {
        Ok(None) => None,
        Ok(Some(_)) => Some("there is a part after the part `file`; send all options before it".into()),
        Err(error) => Some(error.into()),
    };
    if let Some(error) = error {
        // A closed receiver means that the upload has failed already.
        let _ = sender.send(Err(error)).await;
    }
    drop(sender);
}

fn new(caller: Caller, id: RequestId, options: Options) -> NewImport {
    let same_file = options.same_file();
    let Options { reading, policy, file, .. } = options;
    NewImport { caller, file, reading, policy, same_file, request_id: id.0 }
}

/// A browser may send a whole path.
fn base_name(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    base.chars().filter(|c| !is_unfit(*c)).take(200).collect()
}

fn content_type(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let value = repeated::header(headers, header::CONTENT_TYPE.as_str()).map_err(|Conflict| {
        ApiError::new(&problem::FILE_INVALID, "the header Content-Type is there twice, with different values")
    })?;
    let essence = value.and_then(|value| value.to_str().ok()).and_then(|value| value.split(';').next());
    Ok(essence.map(|essence| essence.trim().to_ascii_lowercase()))
}
