//! A load: the requests to send, and the results to report.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A load. All requests are the same except for the linked account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// Method and path of the requests: `PUT /path`.
    pub(crate) method_and_target: String,
    /// All but `Host`, `Content-Length` and the account.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// `bench_0`, `bench_1` and so on, distributed so that no two connections have the same one where there are as many
    /// accounts as connections.
    pub(crate) accounts: usize,
    pub(crate) connections: usize,
    /// Milliseconds before the counted time.
    pub(crate) warm_up_millis: u64,
    pub(crate) millis: u64,
    pub(crate) pace: Pace,
}

/// When a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Pace {
    /// When the response to the connection's last request has arrived.
    Closed,
    /// The same, but after a rejection the client waits as long as `Retry-After` asks.
    Heeding,
    /// At a fixed time, independent of the other requests; its latency counts from then.
    Open { per_second: f64 },
}

/// The results of a load.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Responses within the time, by status.
    pub(crate) by_status: BTreeMap<u16, u64>,
    /// Responses with 503 and `Retry-After`.
    pub(crate) said_when: u64,
    /// Requests without a response.
    pub(crate) broken: u64,
    /// Requests that were due within the time and have no response at its end.
    pub(crate) unanswered: u64,
    pub(crate) seconds: f64,
    pub(crate) latency: Latency,
}

/// Latencies of responses with status 200, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) longest: f64,
}

impl Told {
    /// Successful requests.
    pub(crate) fn good(&self) -> u64 {
        self.by_status.get(&200).copied().unwrap_or_default()
    }

    /// All other requests.
    pub(crate) fn bad(&self) -> u64 {
        self.by_status.iter().filter(|(status, _)| **status != 200).map(|(_, count)| count).sum::<u64>() + self.broken
    }
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let micros = |value: u64| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
        Self {
            p50: micros(histogram.value_at_quantile(0.5)),
            p99: micros(histogram.value_at_quantile(0.99)),
            p999: micros(histogram.value_at_quantile(0.999)),
            longest: micros(histogram.max()),
        }
    }
}
