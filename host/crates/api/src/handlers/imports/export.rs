//! The other way: all credentials of an environment as rows that an import reads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use http::{HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Authorized, Key, ReadCredentials};
use crate::error::api_error::ApiError;
use crate::error::mapping::failure;
use crate::error::problem;
use crate::handlers::credentials::AuthObject;
use crate::middleware::trace::RequestId;
use crate::responses::secret_json::secret_bytes;
use crate::state::Api;
use keyferry_service::{Caller, ReadCredential, ServiceError, StoredCredential};
use keyferry_store::{AccountKey, IntegrationKey};
use keyferry_types::ids::{LinkedAccountId, Slug};

/// Integrations that are looked at a time, and credentials that are read at once.
const READ_AT_ONCE: usize = 64;

/// One exported credential: a row as an import takes it.
#[derive(Serialize, ToSchema)]
#[schema(as = ExportedRow)]
pub(crate) struct ExportedRow<'a> {
    /// The id of the linked account.
    #[schema(value_type = String)]
    linked_account_id: &'a str,
    /// The slug of the app.
    #[schema(value_type = String, example = "hubspot")]
    slug: &'a str,
    /// One key, the auth type, whose value is an object of its fields.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, String>>)]
    auth_object: AuthObject<'a>,
    /// The account's name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    account_name: Option<&'a str>,
    /// When the credential was last written.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// `GET /api/v2/public/export`: NDJSON.
#[utoipa::path(
    get, path = "/api/v2/public/export", operation_id = "exportCredentials", tag = "Imports",
    summary = "Export all credentials",
    description = "A line of JSON for each credential of the API key's organisation and environment, which an import reads as it is: \
        for moving to another installation. Each line is sent once the audit trail has it on disk that it was read. Credentials of \
        your own app are not in it. A response that breaks off is incomplete. Takes an API key with the scope `read_credentials`.",
    responses((status = 200, description = "The credentials.", body = ExportedRow, content_type = "application/x-ndjson")),
    extensions(("x-problems" = json!([KEY_PROBLEMS, problem::SCOPE_MISSING, problem::KEYS_LOCKED, problem::NO_SPACE]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, ReadCredentials>,
    id: RequestId,
) -> Result<Response, ApiError> {
    let export = Arc::new(Export { api: Arc::clone(&api), caller, request_id: id.0 });
    // The first page is read before the response begins, so that an immediate failure is an error response.
    let first = export.page(None).await.map_err(failure)?;
    let pages = stream::try_unfold(Some((export, first)), |state| async move {
        let Some((export, Page { lines, last })) = state else { return Ok(None) };
        let next = match last {
            Some(last) => Some((Arc::clone(&export), export.page(Some(last)).await?)),
            None => None,
        };
        Ok::<_, ServiceError>(Some((lines, next)))
    });
    let lines = pages.map_ok(|lines| stream::iter(lines.into_iter().map(Ok::<_, ServiceError>))).try_flatten();
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct Export {
    api: Arc<Api>,
    caller: Caller,
    request_id: String,
}

/// Some lines, and the integration after which the next ones come; none where these are the last.
struct Page {
    lines: Vec<Bytes>,
    last: Option<IntegrationKey>,
}

impl Export {
    async fn page(&self, after: Option<IntegrationKey>) -> Result<Page, ServiceError> {
        let store = &self.api.store;
        let found = store.integrations_after(&self.caller.org, after.as_ref(), READ_AT_ONCE).await;
        let found = found.map_err(ServiceError::Store)?;
        let last = found.last().filter(|_| found.len() == READ_AT_ONCE).map(|record| record.key());
        let mine = found
            .into_iter()
            .filter(|record| record.environment == self.caller.environment && record.slug != Slug::custom());
        let lines = stream::iter(mine.map(|record| self.line(record.account, record.slug))).buffered(READ_AT_ONCE);
        let lines: Vec<Option<Bytes>> = lines.try_collect().await?;
        Ok(Page { lines: lines.into_iter().flatten().collect(), last })
    }

    /// One credential; none where it was deleted meanwhile.
    async fn line(&self, account: LinkedAccountId, slug: Slug) -> Result<Option<Bytes>, ServiceError> {
        let asked = ReadCredential {
            caller: self.caller.clone(),
            account: account.clone(),
            slug,
            request_id: self.request_id.clone(),
        };
        let credential: StoredCredential = match self.api.service.read(asked).await {
            Ok(Some(credential)) => credential,
            Ok(None) | Err(ServiceError::AccountMissing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Caller { org, environment, .. } = &self.caller;
        let key = AccountKey { org: org.clone(), environment: *environment, account };
        let view = self.api.store.account(&key).await.map_err(ServiceError::Store)?;
        let row = ExportedRow {
            linked_account_id: credential.record.account.as_str(),
            slug: credential.record.slug.as_str(),
            auth_object: AuthObject(&credential),
            account_name: view.as_ref().and_then(|view| view.account.name.as_deref()),
            updated_at: credential.record.updated_at.to_string(),
        };
        // Texts only, so that it can be written.
        Ok(secret_bytes(&row, b"\n").ok())
    }
}
