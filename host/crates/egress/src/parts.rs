//! Assembles a value from its parts, text and secrets.

use std::sync::Arc;

use zeroize::Zeroizing;

use keyferry_types::secret::{Secret, SharedSecret};

use super::call::Call;
use super::error::Invalid;
use super::jwt;
use super::request::Part;

/// A value that was put together. Its memory is wiped, whether it holds a secret or not.
pub(super) struct Value {
    text: Zeroizing<String>,
    secrecy: Secrecy,
}

/// Whether a value has a secret in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// It is made of text alone.
    Plain,
    /// A secret is part of it.
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

/// Puts values together, and makes every secret that it places known to the call.
pub(super) struct Assembler<'a> {
    call: &'a mut Call,
}

impl<'a> Assembler<'a> {
    pub(super) fn new(call: &'a mut Call) -> Self {
        Self { call }
    }

    pub(super) fn assemble(&mut self, parts: &[Part]) -> Result<Value, Invalid> {
        let mut pieces: Vec<Piece<'_>> = Vec::with_capacity(parts.len());
        let mut secrecy = Secrecy::Plain;
        for part in parts {
            pieces.push(match part {
                Part::Text(text) => Piece::Text(text),
                Part::Secret(secret) => {
                    self.call.know(Arc::clone(secret));
                    secrecy = Secrecy::Secret;
                    Piece::Secret(Arc::clone(secret))
                }
                Part::Jwt(jwt) => {
                    self.call.know(Arc::clone(&jwt.key));
                    let token = Arc::new(jwt::sign(jwt)?);
                    self.call.know(Arc::clone(&token));
                    secrecy = Secrecy::Secret;
                    Piece::Secret(token)
                }
            });
        }
        // One allocation of the right size: a growing string would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(pieces.iter().map(|piece| piece.as_str().len()).sum()));
        for piece in &pieces {
            text.push_str(piece.as_str());
        }
        Ok(Value { text, secrecy })
    }

    /// Makes a value that was derived from secrets known too, so that it is taken out of the answer.
    pub(super) fn derived(&mut self, value: &str) {
        self.call.know(Arc::new(Secret::new(value)));
    }
}

enum Piece<'a> {
    Text(&'a str),
    Secret(SharedSecret),
}

impl Piece<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde::Serialize;
    use static_assertions::assert_not_impl_any;

    use super::*;

    assert_not_impl_any!(Value: fmt::Debug, fmt::Display, Serialize, Clone);
    assert_not_impl_any!(Piece<'static>: fmt::Debug, fmt::Display, Serialize, Clone);
}
