//! The ledger, row by row.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Authorized, Key, Read};
use crate::error::api_error::ApiError;
use crate::error::problem;
use crate::handlers::imports::failure::failure;
use crate::handlers::imports::key::key;
use crate::request::parameters::{InPath, InQuery, invalid_query};
use crate::request::prefer::bad;
use crate::request::repeated::{self, Conflict};
use crate::responses::ImportRow;
use crate::state::Api;
use keyferry_imports::ImportError;
use keyferry_store::{ImportKey, RowRecord, RowState};

/// Rows that are read from the ledger at a time.
const READ_AT_ONCE: usize = 512;

/// The largest number that JavaScript reads as it is.
const LARGEST: u64 = 9_007_199_254_740_991;

/// A filter of rows.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResultsQuery {
    /// Only rows after this one: the cursor, which is the number of the last row that was read.
    #[param(minimum = 0, maximum = 9007199254740991_u64, example = 0)]
    after: Option<u64>,
    /// The maximum number of rows.
    #[param(minimum = 1, maximum = 9007199254740991_u64)]
    limit: Option<u64>,
    /// Only rows in this state.
    #[param(example = "failed")]
    state: Option<String>,
    /// `true`: only rows that have warnings.
    warnings: Option<bool>,
}

/// `GET /{id}/results`: NDJSON.
#[utoipa::path(
    get, path = "/api/v2/public/imports/{id}/results", operation_id = "getImportResults", tag = "Imports",
    summary = "Read an import's ledger",
    description = "A line of JSON (`ImportRow`) for each row of the file, in its order, while it is being worked on, too. An \
        interrupted reader continues with `after`, or with `Range: rows=101-`, which is answered with 206. Nothing of a credential \
        is in it. Takes an API key with the scope `read`.",
    params(("id" = String, Path, description = "The import's id.", min_length = 1), ResultsQuery),
    responses(
        (status = 200, description = "The rows.", body = ImportRow, content_type = "application/x-ndjson"),
        (status = 206, description = "The rows that `Range` asks for.", body = ImportRow, content_type = "application/x-ndjson"),
    ),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::INVALID_QUERY, problem::INVALID_HEADER,
        problem::IMPORT_UNKNOWN,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Read>,
    InPath(id): InPath<String>,
    query: Result<InQuery<ResultsQuery>, ApiError>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let key = key(&caller, &id)?;
    let InQuery(ResultsQuery { after, limit, state, warnings }) = query?;
    if after.is_some_and(|after| after > LARGEST) || limit.is_some_and(|limit| limit == 0 || limit > LARGEST) {
        return Err(invalid_query(&format!("`after` and `limit` are numbers of rows, up to {LARGEST}")));
    }
    let total = api.importer.show(&key).await.map_err(failure)?.record.rows;
    let state = state.map(|state| row_state(&state)).transpose()?;
    let mut pages = Pages {
        api: Arc::clone(&api),
        key,
        after: after.unwrap_or(0),
        last: u64::MAX,
        left: limit.unwrap_or(u64::MAX),
        state,
        only_warned: warnings == Some(true),
    };
    let asked = repeated::header(&headers, header::RANGE.as_str())
        .map_err(|Conflict| bad("Range", "it is there twice, with different values"))?;
    let asked = asked.and_then(|range| range.to_str().ok()).and_then(row_range);
    let mut response = Response::new(Body::empty());
    if let Some((first, last)) = asked.filter(|(first, _)| *first <= total) {
        let last = last.unwrap_or(total).min(total);
        (pages.after, pages.last) = (first - 1, last);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        if let Ok(range) = HeaderValue::from_str(&format!("rows {first}-{last}/{total}")) {
            response.headers_mut().insert(header::CONTENT_RANGE, range);
        }
    }
    let lines = stream::try_unfold(pages, |mut pages| async move {
        Ok::<_, ImportError>(pages.next().await?.map(|page| (page, pages)))
    });
    *response.body_mut() = Body::from_stream(lines);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson; charset=utf-8"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("rows"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct Pages {
    api: Arc<Api>,
    key: ImportKey,
    after: u64,
    /// No row beyond this one.
    last: u64,
    /// The number of further rows.
    left: u64,
    state: Option<RowState>,
    /// Only rows that have warnings.
    only_warned: bool,
}

impl Pages {
    fn wants(&self, row: &RowRecord) -> bool {
        self.state.is_none_or(|state| row.state == state) && !(self.only_warned && row.warnings.is_empty())
    }

    /// The next lines; none where there are no more.
    async fn next(&mut self) -> Result<Option<Bytes>, ImportError> {
        loop {
            if self.left == 0 || self.after >= self.last {
                return Ok(None);
            }
            let rows = self.api.importer.rows(&self.key, self.after, READ_AT_ONCE).await?;
            let Some(last) = rows.last().map(|view| view.row.number) else { return Ok(None) };
            self.after = last;
            let mut lines = Vec::new();
            for view in rows.into_iter().filter(|view| view.row.number <= self.last) {
                if self.left == 0 || !self.wants(&view.row) {
                    continue;
                }
                self.left -= 1;
                serde_json::to_writer(&mut lines, &ImportRow::new(view))
                    .map_err(|error| ImportError::Inside(Box::new(error)))?;
                lines.push(b'\n');
            }
            // Pages without any such row are passed over.
            if !lines.is_empty() {
                return Ok(Some(lines.into()));
            }
        }
    }
}

fn row_state(text: &str) -> Result<RowState, ApiError> {
    use RowState::{Done, Failed, Kept, Queued, Skipped, Undone};
    let all = [Queued, Done, Skipped, Failed, Undone, Kept];
    all.into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| invalid_query(&format!("`state` is one of {}", all.map(RowState::as_str).join(", "))))
}

/// `rows=101-200` or `rows=101-`. Another unit, or another form, is as none (RFC 9110, section 14.2).
fn row_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (first, last) = text.strip_prefix("rows=")?.split_once('-')?;
    let first = first.parse().ok().filter(|first| *first > 0)?;
    if last.is_empty() {
        return Some((first, None));
    }
    let last = last.parse().ok().filter(|last| *last >= first)?;
    Some((first, Some(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_rows_is_read_and_anything_else_is_as_none() {
        for (text, range) in [
            ("rows=1-", Some((1, None))),
            ("rows=101-200", Some((101, Some(200)))),
            ("rows=0-", None),
            ("rows=5-4", None),
            ("bytes=0-1", None),
            ("rows=1-2,4-5", None),
            ("rows=-5", None),
        ] {
            assert_eq!(row_range(text), range, "{text}");
        }
    }
}
