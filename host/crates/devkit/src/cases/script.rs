//! The provider of a case: it sends the responses of the case, and records requests that the case does not have.

use std::sync::Arc;

use parking_lot::Mutex;

use super::case::{Case, Content, Exchange, MockResponse, Outcome};
use super::deviation::Deviation;
use super::faults::FaultName;
use super::request::{SecretNames, request_lines};
use keyferry_egress::{ErrorKind, ExchangeObserver, Fault, MockExchange, MockTransport, Request, Response, SendError};

/// How strictly the provider keeps to the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Every exchange once and in order.
    Strict,
    /// As many responses of the case as there are requests, in order, whatever is asked for.
    Ordered,
    /// One exchange always has this fault; the others have their responses, in any order. Requests beyond the case meet a
    /// refused connection, and are no deviation: after a fault, a plugin may send fewer requests, or others.
    Fault { exchange: usize, fault: FaultName },
}

/// The provider of one run of a case.
pub(super) struct Script {
    exchanges: Vec<Exchange>,
    rule: Rule,
    /// Field names and values, for responses with placeholders.
    values: Vec<(String, String)>,
    /// The secrets among them, for the fault that echoes them.
    echoes: Vec<String>,
    body_limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: SecretNames,
    next: usize,
    deviations: Vec<Deviation>,
    exchanged: Vec<(Request, MockExchange)>,
}

impl Script {
    /// `values` are the credential's, by field; `names` say which secrets they are.
    pub(super) fn new(
        case: &Case,
        rule: Rule,
        values: Vec<(String, String)>,
        names: SecretNames,
        echoes: Vec<String>,
        body_limit: usize,
    ) -> Arc<Self> {
        let state = Mutex::new(State { names, ..State::default() });
        Arc::new(Self { exchanges: case.exchanges.clone(), rule, values, echoes, body_limit, state })
    }

    /// The deviations from the case, once the run is over.
    pub(super) fn deviations(&self) -> Vec<Deviation> {
        let state = self.state.lock();
        let mut deviations = state.deviations.clone();
        if self.rule == Rule::Strict && deviations.is_empty() {
            let missing = self.exchanges.iter().enumerate().skip(state.next);
            deviations.extend(
                missing.map(|(index, e)| Deviation::Missing { exchange: index + 1, expected: e.request.clone() }),
            );
        }
        deviations
    }

    /// Each request that was responded to, with the response.
    pub(super) fn exchanged(&self) -> Vec<(Request, MockExchange)> {
        std::mem::take(&mut self.state.lock().exchanged)
    }

    /// The values of the tokens that the host took out of responses.
    pub(super) fn minted(&self) -> Vec<String> {
        let state = self.state.lock();
        let minted = state.names.iter().filter(|(_, name)| name.starts_with('/'));
        minted.map(|(token, _)| token.expose().to_owned()).collect()
    }

    fn outcome_of(&self, exchange: &Exchange) -> MockExchange {
        match &exchange.outcome {
            Outcome::Fault(fault) => self.fault(*fault),
            Outcome::Response(MockResponse { status, headers, body, content }) => MockExchange::Response {
                status: *status,
                headers: headers.iter().map(|(name, text)| (name.clone(), self.filled(text, Content::Text))).collect(),
                body: self.filled(body, *content).into_bytes(),
            },
        }
    }

    fn fault(&self, fault: FaultName) -> MockExchange {
        fault.exchange(self.body_limit, &self.echoes)
    }

    /// A text with the values of fields in it.
    fn filled(&self, text: &str, content: Content) -> String {
        self.values.iter().fold(text.to_owned(), |text, (name, value)| {
            let placeholder = format!("{{{{{name}}}}}");
            match content {
                Content::Text => text.replace(&placeholder, value),
                // Inside of a JSON string, without its quotes.
                Content::Json => {
                    let quoted = serde_json::Value::String(value.clone()).to_string();
                    text.replace(&placeholder, quoted.trim_matches('"'))
                }
            }
        })
    }

    fn in_order(&self, found: Vec<String>) -> MockExchange {
        let mut state = self.state.lock();
        let index = state.next;
        state.next += 1;
        let Some(exchange) = self.exchanges.get(index) else {
            state.deviations.push(Deviation::Unexpected { found });
            return MockExchange::Fault(Fault::Refused);
        };
        if exchange.request == found || self.rule == Rule::Ordered {
            return self.outcome_of(exchange);
        }
        let elsewhere = self.exchanges.iter().position(|other| other.request == found).map(|index| index + 1);
        let expected = exchange.request.clone();
        state.deviations.push(Deviation::Different { exchange: index + 1, expected, found, elsewhere });
        MockExchange::Fault(Fault::Refused)
    }
}

impl MockTransport for Script {
    fn respond(&self, request: &Request) -> MockExchange {
        let found = request_lines(request, &self.state.lock().names);
        let exchange = match self.rule {
            Rule::Strict | Rule::Ordered => self.in_order(found),
            Rule::Fault { exchange: faulty, fault } => {
                match self.exchanges.iter().position(|exchange| exchange.request == found) {
                    Some(index) if index == faulty => self.fault(fault),
                    Some(index) => self
                        .exchanges
                        .get(index)
                        .map_or(MockExchange::Fault(Fault::Refused), |exchange| self.outcome_of(exchange)),
                    None => MockExchange::Fault(Fault::Refused),
                }
            }
        };
        self.state.lock().exchanged.push((request.clone(), exchange.clone()));
        exchange
    }
}

impl ExchangeObserver for Script {
    fn exchange(&self, request: &Request, result: Result<&Response, &SendError>) {
        let mut state = self.state.lock();
        match result {
            Ok(response) => {
                for minted in &response.minted {
                    state.names.add(&minted.token, minted.pointer.clone());
                }
            }
            // Egress refused these before the mock transport: the plugin asked for what it must not, or for what cannot be.
            Err(SendError { kind, message, .. })
                if matches!(kind, ErrorKind::Denied(_) | ErrorKind::InvalidRequest | ErrorKind::BudgetExhausted) =>
            {
                let found = request_lines(request, &state.names);
                state.deviations.push(Deviation::Refused { found, kind: kind.clone(), message: message.clone() });
            }
            Err(_) => {}
        }
    }
}
