//! [`MockTable`]: which response a mock provider sends to which request.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::wire::{ReceivedRequest, WireLines};
use keyferry_egress::{Fault, MockExchange};

/// The response to a credential that is not known, if the app has no case of a rejected one.
static UNKNOWN: LazyLock<MockExchange> = LazyLock::new(|| MockExchange::Response {
    status: 401,
    headers: vec![("content-type".to_owned(), "application/json".to_owned())],
    body: b"{}".to_vec(),
});

/// The source of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The case.
    Case,
    /// The user.
    User,
}

/// A credential that a mock provider knows.
#[derive(Clone)]
pub struct MockCredential {
    /// The source of its values.
    pub origin: Origin,
    /// The app.
    pub slug: String,
    /// The auth type.
    pub auth_type: String,
    /// The fields and their values.
    pub fields: Vec<(String, serde_json::Value)>,
    /// The field whose value tells it from other credentials of the app.
    pub known_by: Option<String>,
    /// The case whose responses it gets.
    pub case: String,
    /// What the case shows, in one sentence.
    pub about: Option<String>,
    /// The verdict: `verified`, or the code of a failure.
    pub outcome: String,
    /// The verdict once a rate limit has ended, where there is one.
    pub then: Option<String>,
    /// Number of requests that it takes to verify.
    pub requests: usize,
}

/// When an exchange takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    First,
    /// After the rate limit of the credential has ended.
    Later,
}

/// A request and its result.
pub(super) struct Entry {
    pub(super) lines: WireLines,
    pub(super) result: MockExchange,
    /// Index of the credential.
    pub(super) credential: usize,
    pub(super) phase: Phase,
}

/// The result of a request to a mock provider.
pub struct Match<'t> {
    /// The app.
    pub slug: &'t str,
    /// Index of the credential in [`MockTable::credentials`]; `None` if no credential is known that makes this request.
    pub credential: Option<usize>,
    /// The result.
    pub result: &'t MockExchange,
    /// Whether this is the response of a rate limit that can end.
    pub is_limit: bool,
}

/// The credentials that mock providers know, and the requests that verify them.
#[derive(Default)]
pub struct MockTable {
    pub(super) credentials: Vec<MockCredential>,
    pub(super) entries: Vec<Entry>,
}

impl MockTable {
    /// The credentials, in the order in which they were added.
    pub fn credentials(&self) -> &[MockCredential] {
        &self.credentials
    }

    /// The hosts to serve. A host that does not exist in any case is not among them.
    pub fn hosts(&self) -> BTreeSet<String> {
        let is_served = |entry: &&Entry| !matches!(entry.result, MockExchange::Fault(Fault::Dns));
        self.entries.iter().filter(is_served).map(|entry| entry.lines.host().to_owned()).collect()
    }

    /// Whether one of these requests gets another response already.
    pub(super) fn has_other(&self, exchanges: &[(WireLines, MockExchange)]) -> bool {
        let differs = |a: &MockExchange, b: &MockExchange| !is_same(a, b);
        exchanges.iter().any(|(lines, result)| {
            self.entries.iter().any(|entry| entry.lines.may_be(lines) && differs(&entry.result, result))
        })
    }

    /// The result of a request. `has_ended` tells whether the rate limit of a credential has ended. A request that no known
    /// credential makes gets the response of a rejected one that makes the most similar request. `None` if the host is not known.
    pub fn find(&self, request: &ReceivedRequest<'_>, has_ended: &dyn Fn(usize) -> bool) -> Option<Match<'_>> {
        let received = WireLines::received(request);
        let is_it = |entry: &&Entry| received.iter().any(|lines| entry.lines.is(lines));
        let phase = |entry: &Entry| if has_ended(entry.credential) { Phase::Later } else { Phase::First };
        let known = self.entries.iter().filter(is_it);
        if let Some(entry) = known.clone().find(|entry| entry.phase == phase(entry)).or_else(|| known.clone().next()) {
            let credential = self.credentials.get(entry.credential)?;
            let is_last = self.last_of(entry.credential).is_some_and(|last| std::ptr::eq(last, entry));
            return Some(Match {
                slug: &credential.slug,
                credential: Some(entry.credential),
                result: &entry.result,
                is_limit: credential.then.is_some() && is_last,
            });
        }
        let lines = received.first()?;
        let slug_of = |entry: &Entry| self.credentials.get(entry.credential).map(|credential| credential.slug.as_str());
        let is_rejected =
            |entry: &&Entry| self.credentials.get(entry.credential).is_some_and(|one| one.outcome == "rejected");
        let of_host = || self.entries.iter().filter(move |entry| entry.lines.host() == lines.host());
        let rejections = || {
            of_host()
                .filter(is_rejected)
                .filter(move |entry| self.last_of(entry.credential).is_some_and(|last| std::ptr::eq(last, *entry)))
        };
        let chosen = rejections().find(|entry| entry.lines.place() == lines.place()).or_else(|| rejections().next());
        let slug = of_host().find_map(slug_of)?;
        Some(Match { slug, credential: None, result: chosen.map_or(&*UNKNOWN, |entry| &entry.result), is_limit: false })
    }

    /// The exchange that ends the first verification of a credential.
    fn last_of(&self, credential: usize) -> Option<&Entry> {
        self.entries.iter().rfind(|entry| entry.credential == credential && entry.phase == Phase::First)
    }
}

fn is_same(a: &MockExchange, b: &MockExchange) -> bool {
    match (a, b) {
        (MockExchange::Fault(a), MockExchange::Fault(b)) => a == b,
        (
            MockExchange::Response { status, headers, body },
            MockExchange::Response { status: other_status, headers: other_headers, body: other_body },
        ) => status == other_status && headers == other_headers && body == other_body,
        _ => false,
    }
}
