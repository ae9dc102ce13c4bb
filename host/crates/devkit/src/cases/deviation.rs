//! Requests of a plugin that are not those of its case.

use super::report::{Line, diff};
use keyferry_egress::ErrorKind;

/// A deviation of a plugin from its case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deviation {
    /// It sent another request than that of this exchange.
    Different { exchange: usize, expected: Vec<String>, found: Vec<String>, elsewhere: Option<usize> },
    /// It sent a request beyond those of the case.
    Unexpected { found: Vec<String> },
    /// It did not send this request.
    Missing { exchange: usize, expected: Vec<String> },
    /// Egress refused to send this request.
    Refused { found: Vec<String>, kind: ErrorKind, message: String },
}

impl Deviation {
    /// The deviation in lines, as a person reads it.
    pub(super) fn lines(&self) -> Vec<Line> {
        let all = |lines: &[String], line: fn(String) -> Line| lines.iter().cloned().map(line).collect::<Vec<_>>();
        match self {
            Self::Different { exchange, expected, found, elsewhere } => {
                let hint = match elsewhere {
                    Some(other) => format!(" (this is exchange {other}, out of order)"),
                    None => String::new(),
                };
                let says = format!(
                    "exchange {exchange}: the plugin asked for something else{hint}; - is the case, + the plugin"
                );
                diff(says, expected, found)
            }
            Self::Unexpected { found } => {
                let says = "the plugin asked for more than the case has; add an [[exchange]], or take the request out"
                    .to_owned();
                [vec![Line::Says(says)], all(found, Line::Found)].concat()
            }
            Self::Missing { exchange, expected } => {
                let says = format!("exchange {exchange}: the plugin did not ask for it");
                [vec![Line::Says(says)], all(expected, Line::Expected)].concat()
            }
            Self::Refused { found, kind, message } => {
                let says = match kind {
                    ErrorKind::Denied(missing) => {
                        format!("the plugin was denied a request; `describe` has to ask for the grant `{missing}`")
                    }
                    _ => format!("a request of the plugin cannot be sent: {message}"),
                };
                [vec![Line::Says(says)], all(found, Line::Found)].concat()
            }
        }
    }
}
