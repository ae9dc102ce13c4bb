//! [`Assembler`]: assembles values from text and secrets.

use std::sync::Arc;

use keyferry_types::zeroizing::Zeroizing;

use keyferry_types::secret::Secret;

use super::call::Call;
use super::error::Invalid;
use super::jwt;
use super::request::Part;

/// An assembled value. Its memory is wiped when dropped, whether it holds a secret or not.
pub(super) struct Value {
    text: Zeroizing<String>,
    secrecy: Secrecy,
}

/// Whether a value contains a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// The value consists of text alone.
    Plain,
    /// A part of the value is a secret.
    Secret,
}

impl Value {
    pub(super) fn expose(&self) -> &str {
        &self.text
    }

    pub(super) fn secrecy(&self) -> Secrecy {
        self.secrecy
    }
}

/// Assembles values, and adds every secret that it inserts to the known secrets of the call.
pub(super) struct Assembler<'a> {
    call: &'a mut Call,
}

impl<'a> Assembler<'a> {
    pub(super) fn new(call: &'a mut Call) -> Self {
        Self { call }
    }

    pub(super) fn assemble(&mut self, parts: &[Part]) -> Result<Value, Invalid> {
        let mut tokens = Vec::new();
        let (mut length, mut secrecy) = (0, Secrecy::Plain);
        for part in parts {
            length += match part {
                Part::Text(text) => text.len(),
                Part::Secret(secret) => {
                    self.call.add_secret(Arc::clone(secret));
                    secrecy = Secrecy::Secret;
                    secret.len()
                }
                Part::Jwt(jwt) => {
                    self.call.add_secret(Arc::clone(&jwt.key));
                    let token = Arc::new(jwt::sign(jwt)?);
                    self.call.add_secret(Arc::clone(&token));
                    secrecy = Secrecy::Secret;
                    tokens.push(token);
                    tokens.last().map_or(0, |token| token.len())
                }
            };
        }
        // One allocation of the right size: a growing string would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(length));
        let mut tokens = tokens.iter();
        for part in parts {
            text.push_str(match part {
                Part::Text(text) => text,
                Part::Secret(secret) => secret.expose(),
                Part::Jwt(_) => tokens.next().map_or("", |token| token.expose()),
            });
        }
        Ok(Value { text, secrecy })
    }

    /// Adds a value that was computed from secrets to the known secrets, so that it is redacted in the response.
    pub(super) fn derived(&mut self, value: &str) {
        self.call.add_secret(Arc::new(Secret::new(value)));
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde::Serialize;
    use static_assertions::assert_not_impl_any;

    use super::*;

    assert_not_impl_any!(Value: fmt::Debug, fmt::Display, Serialize, Clone);
}
