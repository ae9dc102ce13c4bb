//! The provider of a case: it answers what the case foresees, and remembers what it did not.

use std::sync::{Arc, Mutex, PoisonError};

use super::case::{Answer, Case, Content, Exchange, Outcome};
use super::faults::FaultName;
use super::request::{SecretNames, told};
use keyferry_egress::{ErrorKind, ExchangeObserver, Fault, MockExchange, MockTransport, Request, Response, SendError};

/// Deviations of a plugin from its case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// It asked for something else than this exchange.
    Different { exchange: usize, expected: Vec<String>, found: Vec<String>, elsewhere: Option<usize> },
    /// It asked for more.
    Unexpected { found: Vec<String> },
    /// It did not ask for these.
    Missing { exchange: usize, expected: Vec<String> },
    /// It was refused a request.
    Refused { found: Vec<String>, kind: ErrorKind, message: String },
}

/// How strictly the provider keeps to the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Every exchange once and in order.
    Strict,
    /// In the place of one exchange's answer, always this fault; the others as they come. What is asked for beyond the
    /// case is refused by the network, and is no problem: a plugin may well ask for less, or more, when it meets a fault.
    Fault { exchange: usize, fault: FaultName },
}

/// The provider of one run of a case.
pub(super) struct Script {
    exchanges: Vec<Exchange>,
    rule: Rule,
    /// Field names and values, for answers that hold them.
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
    problems: Vec<Problem>,
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

    /// What was not as foreseen, once the run is over.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let state = self.state();
        let mut problems = state.problems.clone();
        if self.rule == Rule::Strict && problems.is_empty() {
            let missing = self.exchanges.iter().enumerate().skip(state.next);
            problems.extend(
                missing.map(|(index, e)| Problem::Missing { exchange: index + 1, expected: e.request.clone() }),
            );
        }
        problems
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn staged(&self, exchange: &Exchange) -> MockExchange {
        match &exchange.outcome {
            Outcome::Fault(fault) => self.fault(*fault),
            Outcome::Answer(Answer { status, headers, body, kind }) => MockExchange::Answer {
                status: *status,
                headers: headers.iter().map(|(name, text)| (name.clone(), self.filled(text, Content::Text))).collect(),
                body: self.filled(body, *kind).into_bytes(),
            },
        }
    }

    fn fault(&self, fault: FaultName) -> MockExchange {
        fault.staged(self.body_limit, &self.echoes)
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

    fn strictly(&self, found: Vec<String>) -> MockExchange {
        let mut state = self.state();
        let index = state.next;
        state.next += 1;
        let Some(exchange) = self.exchanges.get(index) else {
            state.problems.push(Problem::Unexpected { found });
            return MockExchange::Fault(Fault::Refused);
        };
        if exchange.request == found {
            return self.staged(exchange);
        }
        let elsewhere = self.exchanges.iter().position(|other| other.request == found).map(|index| index + 1);
        let expected = exchange.request.clone();
        state.problems.push(Problem::Different { exchange: index + 1, expected, found, elsewhere });
        MockExchange::Fault(Fault::Refused)
    }
}

impl MockTransport for Script {
    fn answer(&self, request: &Request) -> MockExchange {
        let found = told(request, &self.state().names);
        match self.rule {
            Rule::Strict => self.strictly(found),
            Rule::Fault { exchange: faulty, fault } => {
                match self.exchanges.iter().position(|exchange| exchange.request == found) {
                    Some(index) if index == faulty => self.fault(fault),
                    Some(index) => self
                        .exchanges
                        .get(index)
                        .map_or(MockExchange::Fault(Fault::Refused), |exchange| self.staged(exchange)),
                    None => MockExchange::Fault(Fault::Refused),
                }
            }
        }
    }
}

impl ExchangeObserver for Script {
    fn exchange(&self, request: &Request, result: Result<&Response, &SendError>) {
        let mut state = self.state();
        match result {
            Ok(response) => {
                for minted in &response.minted {
                    state.names.add(&minted.token, minted.pointer.clone());
                }
            }
            // These did not come to the stage: the plugin asked for what it must not, or for what cannot be.
            Err(SendError { kind, message, .. })
                if matches!(kind, ErrorKind::Denied(_) | ErrorKind::InvalidRequest | ErrorKind::BudgetExhausted) =>
            {
                let found = told(request, &state.names);
                state.problems.push(Problem::Refused { found, kind: kind.clone(), message: message.clone() });
            }
            Err(_) => {}
        }
    }
}
