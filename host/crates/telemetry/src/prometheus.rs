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

use super::gauges::Gauges;
use super::metrics::BUCKETS;

/// The text format's media type.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The recorder whose metrics Prometheus scrapes.
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
    gauges: Gauges,
}

/// The router of the metrics page.
pub(super) fn router(handle: PrometheusHandle, gauges: Gauges) -> Router {
    Router::new().route("/metrics", get(page)).with_state(Page { handle, gauges })
}

impl Page {
    fn render(&self) -> String {
        self.gauges.measure();
        // Values that histograms have buffered are counted here, so that the buffers do not grow between two scrapes.
        self.handle.run_upkeep();
        self.handle.render()
    }
}

async fn page(State(page): State<Page>) -> axum::response::Response {
    // The kernel is asked for files and memory, which may block.
    let text = tokio::task::spawn_blocking(move || page.render()).await.unwrap_or_default();
    ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")], text).into_response()
}
