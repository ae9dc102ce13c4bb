//! The settings of logs, traces and metrics.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use url::Url;

use keyferry_service_client::ServiceAddress;

/// An invalid value of a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSetting(String);

/// What is logged, as tracing-subscriber filters: `debug`, `keyferry_egress=trace,info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// The filter in the form that `tracing` uses.
    pub fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(InvalidSetting(format!("it is not a log filter: {error}"))),
        }
    }
}

/// A collector: its address, to which `/v1/traces` and `/v1/metrics` are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpEndpoint {
    /// Scheme, host and port of the collector.
    pub service: ServiceAddress,
    /// The path before `/v1/...`.
    base: String,
}

impl OtlpEndpoint {
    /// The URL of spans.
    pub fn traces(&self) -> String {
        format!("{self}/v1/traces")
    }

    /// The URL of metrics.
    pub fn metrics(&self) -> String {
        format!("{self}/v1/metrics")
    }
}

impl fmt::Display for OtlpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.service, self.base)
    }
}

impl FromStr for OtlpEndpoint {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        let invalid = |problem: &str| {
            InvalidSetting(format!("a collector is given by its URL, such as http://127.0.0.1:4318: {problem}"))
        };
        let url: Url = text.parse().map_err(|error: url::ParseError| invalid(&error.to_string()))?;
        let service = ServiceAddress::from_url(&url).ok_or_else(|| invalid("it begins with http:// or https://"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "it must not contain a user or a password; put credentials into the file that --otlp-headers-file names",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it has no query and no fragment"));
        }
        Ok(Self { service, base: url.path().trim_end_matches('/').to_owned() })
    }
}

/// The fraction of traces that are sent, between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleRatio(f64);

impl SampleRatio {
    /// The ratio, from 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for SampleRatio {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        text.parse()
            .ok()
            .filter(|ratio| (0.0..=1.0).contains(ratio))
            .map(Self)
            .ok_or_else(|| InvalidSetting("it must be a number between 0 and 1".to_owned()))
    }
}

/// The kinds of data that a collector is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OtlpSignals {
    /// Traces and metrics are sent.
    Both,
    /// Only traces are sent.
    Traces,
    /// Only metrics are sent.
    Metrics,
}

impl OtlpSignals {
    /// Whether traces are among them.
    pub fn has_traces(self) -> bool {
        self != Self::Metrics
    }

    /// Whether metrics are among them.
    pub fn has_metrics(self) -> bool {
        self != Self::Traces
    }
}

/// The destination of traces and metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpSettings {
    /// URL of the collector.
    pub endpoint: OtlpEndpoint,
    /// A file with headers, one `Name: value` a line.
    pub headers: Option<PathBuf>,
    /// Certificates (PEM) to trust besides the public ones.
    pub ca: Option<PathBuf>,
    /// The kinds of data that are sent.
    pub signals: OtlpSignals,
    /// The fraction of traces, for requests without a `traceparent`.
    pub ratio: SampleRatio,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_address_without_secrets() {
        for (text, expected) in [
            ("http://127.0.0.1:4318", Ok("http://127.0.0.1:4318/v1/traces")),
            ("https://otel.example.com/", Ok("https://otel.example.com/v1/traces")),
            ("https://otel.example.com/tenant/7/", Ok("https://otel.example.com/tenant/7/v1/traces")),
            ("http://[::1]:4318", Ok("http://[::1]:4318/v1/traces")),
            ("127.0.0.1:4318", Err("URL")),
            ("grpc://127.0.0.1:4317", Err("http:// or https://")),
            ("https://me:secret@otel.example.com", Err("--otlp-headers-file")),
            ("https://otel.example.com/?api-key=secret", Err("no query")),
        ] {
            let parsed = text.parse::<OtlpEndpoint>();
            match expected {
                Ok(traces) => assert_eq!(parsed.unwrap().traces(), traces),
                Err(problem) => {
                    let error = parsed.unwrap_err().to_string();
                    assert!(error.contains(problem) && !error.contains("secret"), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_ratio_lies_between_nothing_and_all() {
        for (text, is_one) in [("0", true), ("1", true), ("0.25", true), ("1.1", false), ("-0", true), ("NaN", false)] {
            assert_eq!(text.parse::<SampleRatio>().is_ok(), is_one, "{text}");
        }
    }

    #[test]
    fn a_log_filter_is_checked_before_anything_is_lost() {
        assert!("keyferry_egress=trace,info".parse::<LogFilter>().is_ok());
        assert!("keyferry=loud".parse::<LogFilter>().is_err());
    }
}
