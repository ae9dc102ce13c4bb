//! The state that acknowledged requests promise.

use std::fmt;

use crate::or_fail::fail;

/// A linked account with at most one integration, as its client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// There is no such account.
    Missing,
    /// It has no integration.
    Bare,
    /// It has one with this credential.
    Connected {
        /// The credential's only secret.
        secret: String,
    },
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no account"),
            Self::Bare => f.write_str("an account without an integration"),
            Self::Connected { secret } => write!(f, "a credential ending in {}", secret.get(24..).unwrap_or_default()),
        }
    }
}

/// A migration that was sent with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keyed {
    /// The key.
    pub(super) key: String,
    /// The credential of that request.
    pub(super) secret: String,
    /// The revision in the response, if there was one.
    pub(super) revision: Option<String>,
}

/// The entry of one account. Only one worker writes to it, one request after the other.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// The linked account's id.
    pub(super) id: String,
    /// The last acknowledged state.
    pub(super) acknowledged: State,
    /// The last acknowledged version of the current integration.
    pub(super) version: u64,
    /// The state that the request in flight is to produce; it may or may not be done.
    pub(super) pending: Option<State>,
    /// The last migration that had an idempotency key, unless a later request wrote something else.
    pub(super) keyed: Option<Keyed>,
}

impl Account {
    pub(super) fn new(id: String) -> Self {
        Self { id, acknowledged: State::Missing, version: 0, pending: None, keyed: None }
    }

    /// Accepts the state after a crash, or fails where it is neither the acknowledged nor the pending one.
    pub(super) fn settle(&mut self, found: State, version: u64) -> Settled {
        let pending = self.pending.take();
        if found == self.acknowledged {
            if version < self.version {
                fail(format_args!("{}: version {version} is there, and {} was acknowledged", self.id, self.version));
            }
            self.version = version;
            return Settled::AsAcknowledged;
        }
        if pending.as_ref() == Some(&found) {
            (self.acknowledged, self.version) = (found, version);
            return Settled::AsPending;
        }
        let under_way = pending.map_or_else(|| "nothing".to_owned(), |state| state.to_string());
        fail(format_args!(
            "LOST: {}: {found} is there; acknowledged was {}, and {under_way} was under way",
            self.id, self.acknowledged
        ));
    }
}

/// The state of an account after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// The last acknowledged state.
    AsAcknowledged,
    /// The state that the last request asked for, though it got no response.
    AsPending,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let connected = |secret: &str| State::Connected { secret: secret.to_owned() };
        let mut account = Account::new("a".to_owned());
        (account.acknowledged, account.version, account.pending) = (connected("one"), 3, Some(connected("two")));
        account
    }

    #[test]
    fn what_was_acknowledged_and_what_was_under_way_may_be_there() {
        let one = State::Connected { secret: "one".to_owned() };
        let two = State::Connected { secret: "two".to_owned() };
        assert_eq!(account().settle(one, 3), Settled::AsAcknowledged);
        let mut settled = account();
        assert_eq!(settled.settle(two.clone(), 4), Settled::AsPending);
        assert_eq!((settled.acknowledged, settled.version, settled.pending), (two, 4, None));
    }

    #[test]
    #[should_panic(expected = "LOST: a: an account without an integration is there")]
    fn anything_else_is_a_loss() {
        account().settle(State::Bare, 0);
    }

    #[test]
    #[should_panic(expected = "version 2 is there, and 3 was acknowledged")]
    fn so_is_an_older_version() {
        account().settle(State::Connected { secret: "one".to_owned() }, 2);
    }
}
