//! A parsed page of metrics.

use std::collections::BTreeMap;

use crate::http::get;
use crate::or_fail::{OrFail as _, fail};
use crate::server::Server;

/// One value of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// All metrics that a server reports now.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The samples, in the order of the page.
    pub samples: Vec<Sample>,
    /// The page, as received.
    pub text: String,
}

impl Page {
    /// Requests the page from a server that was started with `--metrics-listen`.
    pub async fn of(server: &Server) -> Self {
        let answer = get(server.metrics_address(), "/metrics").await;
        if answer.status != 200 || answer.header("content-type") != Some("text/plain; version=0.0.4; charset=utf-8") {
            fail(format_args!("no page of metrics: {} {:?}", answer.status, answer.headers));
        }
        Self::read(answer.text())
    }

    fn read(text: String) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(|line| sample(line).or_fail(format_args!("read {line}"))).collect();
        Self { samples, text }
    }

    /// The sum over all samples of a metric that have these labels among theirs.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of_name(name).filter(|sample| has(sample, labels)).map(|sample| sample.value).sum()
    }

    /// The samples of a metric; of a histogram, those of its parts too.
    pub fn of_name<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }
}

fn has(sample: &Sample, labels: &[(&str, &str)]) -> bool {
    labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|found| found == value))
}

/// `name{label="value",...} number`. No value here has quotes or commas in it.
fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        None => (series, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((name.to_owned(), value.strip_prefix('"')?.strip_suffix('"')?.to_owned()))
    };
    let labels = labels.split(',').filter(|pair| !pair.is_empty()).map(pair).collect::<Option<_>>()?;
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_page_is_taken_apart() {
        let page =
            Page::read("# HELP a b\n# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"3\"} 4\nb 0.5\n".to_owned());
        assert_eq!(page.sum("a", &[("x", "1")]), 7.0);
        assert_eq!(page.sum("a", &[("y", "3")]), 4.0);
        assert_eq!(page.sum("b", &[]), 0.5);
        assert_eq!(page.of_name("a").count(), 2);
    }
}
