//! `GET /metrics`, in the text that Prometheus reads.
//!
//! It has a listener of its own. Whoever can reach the public API has no business with how busy the server is or which apps
//! fail, and what scrapes it has no API key.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::header;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use super::metrics::{BUCKETS, describe};

/// The text format's media type.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Something that is looked up whenever somebody asks.
type Look = Arc<dyn Fn() + Send + Sync>;

/// All that has been counted since it was installed.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    process: Collector,
    look: Look,
}

impl Metrics {
    /// Begins to count.
    ///
    /// # Errors
    /// Where somebody counts already.
    pub fn install() -> Result<Self, String> {
        let mut builder = PrometheusBuilder::new();
        for (end, buckets) in BUCKETS {
            let matcher = Matcher::Suffix(end.to_owned());
            builder = builder.set_buckets_for_metric(matcher, buckets).map_err(|error| error.to_string())?;
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        ::metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
        let process = Collector::default();
        process.describe();
        describe();
        Ok(Self { handle, process, look: Arc::new(|| {}) })
    }

    /// With something that is looked up whenever somebody asks.
    #[must_use]
    pub fn looking(self, look: impl Fn() + Send + Sync + 'static) -> Self {
        Self { look: Arc::new(look), ..self }
    }

    /// The page.
    pub fn router(self) -> Router {
        Router::new().route("/metrics", get(page)).with_state(self)
    }

    fn render(&self) -> String {
        (self.look)();
        self.process.collect();
        // Values that histograms have kept aside are counted here, so that they do not pile up between two scrapes.
        self.handle.run_upkeep();
        self.handle.render()
    }
}

async fn page(State(metrics): State<Metrics>) -> axum::response::Response {
    // The kernel is asked for files and memory, which may block.
    let text = tokio::task::spawn_blocking(move || metrics.render()).await.unwrap_or_default();
    ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")], text).into_response()
}
