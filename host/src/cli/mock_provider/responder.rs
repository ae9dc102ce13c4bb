//! Responses to requests: those of the cases, with latency, outages and rate limits.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use keyferry_devkit::cases::mock::{MockTable, ReceivedRequest};
use keyferry_devkit::cases::unknown_name;
use keyferry_egress::{Fault, MockExchange};
use keyferry_mock_providers::{Delivery, Received, Reply};

/// The delay of a response that does not arrive in time.
const TOO_LATE: Duration = Duration::from_secs(60 * 60);
/// The interval between two bytes of a response that is not complete in time.
const DRIP: Duration = Duration::from_secs(5);
/// A page as a gateway shows while its backend is down.
const PAGE: &str = "<!doctype html><title>Maintenance</title><p>We will be back soon.</p>";

/// The apps that are down.
#[derive(Clone)]
pub(super) enum Outage {
    None,
    All,
    Of(Vec<String>),
}

impl Outage {
    /// From the values of the flag.
    pub(super) fn of(flag: Option<&[String]>, slugs: &[String]) -> Result<Self, String> {
        let Some(names) = flag else { return Ok(Self::None) };
        match names.iter().find(|name| !slugs.contains(name)) {
            Some(unknown) => {
                let known: Vec<&str> = slugs.iter().map(String::as_str).collect();
                Err(format!("--outage: {}", unknown_name("app here", unknown, &known)))
            }
            None if names.is_empty() => Ok(Self::All),
            None => Ok(Self::Of(names.to_vec())),
        }
    }

    pub(super) fn is_of(&self, slug: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Of(slugs) => slugs.iter().any(|down| down == slug),
        }
    }
}

/// How the providers behave.
pub(super) struct Conditions {
    pub(super) latency: Duration,
    pub(super) retry_after: Duration,
    pub(super) outage: Outage,
}

/// Responds to the requests to all hosts.
pub(super) struct Responder {
    table: MockTable,
    conditions: Conditions,
    /// The ends of rate limits, by credential.
    limits: Mutex<HashMap<usize, Instant>>,
}

impl Responder {
    pub(super) fn new(table: MockTable, conditions: Conditions) -> Self {
        Self { table, conditions, limits: Mutex::default() }
    }

    pub(super) fn respond(&self, request: &Received) -> Reply {
        let reply = self.reply(request);
        let delay = reply.delay + self.conditions.latency;
        reply.delayed(delay)
    }

    fn reply(&self, request: &Received) -> Reply {
        let Conditions { retry_after, outage, .. } = &self.conditions;
        let now = Instant::now();
        let mut limits = self.limits.lock();
        let received = ReceivedRequest {
            method: &request.method,
            host: &request.host,
            target: &request.path_and_query,
            headers: &request.headers,
            body: &request.body,
        };
        let found = self.table.find(&received, &|credential| limits.get(&credential).is_some_and(|end| now >= *end));
        let Some(found) = found else { return Reply::status(404) };
        if outage.is_of(found.slug) {
            return page(503);
        }
        let mut reply = sent(found.result);
        if let Some(credential) = found.credential.filter(|_| found.is_limit) {
            let end = *limits.entry(credential).or_insert(now + *retry_after);
            let left = end.saturating_duration_since(now).as_secs_f64().ceil().max(1.0);
            for (name, value) in &mut reply.headers {
                if name.eq_ignore_ascii_case("retry-after") {
                    *value = left.to_string();
                }
            }
        }
        reply
    }
}

fn page(status: u16) -> Reply {
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    Reply { headers, body: PAGE.as_bytes().to_vec(), ..Reply::status(status) }
}

/// The reply that has a result.
fn sent(result: &MockExchange) -> Reply {
    match result {
        MockExchange::Response { status, headers, body } => {
            Reply { headers: headers.clone(), body: body.clone(), ..Reply::status(*status) }
        }
        MockExchange::Fault(Fault::Timeout) => Reply::status(200).delayed(TOO_LATE),
        MockExchange::Fault(Fault::SlowDrip) => page(200).delivered(Delivery::Drip(DRIP)),
        MockExchange::Fault(Fault::Reset) => page(200).delivered(Delivery::CutShort),
        MockExchange::Fault(Fault::Dns | Fault::Refused | Fault::Tls) => Reply::status(200).delivered(Delivery::Closed),
    }
}
