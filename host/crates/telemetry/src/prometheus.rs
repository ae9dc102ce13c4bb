//! `GET /metrics`, in the text that Prometheus reads.
//!
//! It has a listener of its own: clients of the public API must not learn how busy the server is or which apps fail,
//! and Prometheus has no API key.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::header;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::exporters::Observed;
use super::metrics::BUCKETS;

/// The text format's media type.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What counts for the page.
pub(super) fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (end, buckets) in BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Suffix(end.to_owned()), buckets)?;
    }
    Ok(builder.build_recorder())
}

#[derive(Clone)]
struct Page {
    handle: PrometheusHandle,
    observed: Observed,
}

/// The router of the metrics page.
pub(super) fn router(handle: PrometheusHandle, observed: Observed) -> Router {
    Router::new().route("/metrics", get(page)).with_state(Page { handle, observed })
}

impl Page {
    fn render(&self) -> String {
        self.observed.look();
        // Values that histograms have kept aside are counted here, so that they do not pile up between two scrapes.
        self.handle.run_upkeep();
        self.handle.render()
    }
}

async fn page(State(page): State<Page>) -> axum::response::Response {
    // The kernel is asked for files and memory, which may block.
    let text = tokio::task::spawn_blocking(move || page.render()).await.unwrap_or_default();
    ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")], text).into_response()
}
