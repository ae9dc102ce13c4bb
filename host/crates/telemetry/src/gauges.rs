//! Gauges whose values are measured when they are exported, such as memory and open files, instead of counted.

use std::sync::Arc;
use std::time::Duration;

use metrics_process::Collector as Process;

/// The interval of measurements for a collector, to which metrics are pushed. Prometheus causes a measurement with each
/// scrape.
const INTERVAL: Duration = Duration::from_secs(10);

/// What measures the gauges: those of the process, and a function for all others.
#[derive(Clone)]
pub(super) struct Gauges {
    process: Process,
    others: Arc<dyn Fn() + Send + Sync>,
}

impl Gauges {
    /// The gauges of the process.
    pub(super) fn new() -> Self {
        let process = Process::default();
        process.describe();
        Self { process, others: Arc::new(|| {}) }
    }

    /// Adds a function that measures other gauges.
    pub(super) fn set_others(&mut self, others: impl Fn() + Send + Sync + 'static) {
        self.others = Arc::new(others);
    }

    /// Measures all gauges. It blocks: the kernel is asked for files and memory.
    pub(super) fn measure(&self) {
        (self.others)();
        self.process.collect();
    }

    /// Measures all gauges at an interval, for as long as the process runs.
    pub(super) async fn measure_repeatedly(self) {
        let mut times = tokio::time::interval(INTERVAL);
        loop {
            times.tick().await;
            let gauges = self.clone();
            let measured = tokio::task::spawn_blocking(move || gauges.measure()).await;
            if let Err(error) = measured {
                tracing::warn!(%error, "current values for metrics could not be measured");
            }
        }
    }
}
