//! What has a limit of its own: an API key, its front ends, the front ends of one linked account.

use std::num::NonZeroU32;

/// The API key that a verification counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedFor {
    /// An API key, by its hash.
    ApiKey([u8; 32]),
    /// The front ends of a linked account.
    FrontEnd {
        /// A digest that names the linked account.
        account: [u8; 32],
        /// Hash of the API key that the session was made with.
        key: [u8; 32],
    },
}

impl CountedFor {
    /// Hash of the API key, in either case.
    pub fn api_key(&self) -> [u8; 32] {
        match self {
            Self::ApiKey(key) | Self::FrontEnd { key, .. } => *key,
        }
    }

    /// The limits that a verification counts against, the narrowest first.
    pub(super) fn subjects(self) -> impl Iterator<Item = Subject> {
        let front_end = match self {
            Self::ApiKey(_) => None,
            Self::FrontEnd { account, key } => {
                Some([Subject::FrontEndsOfAccount(account), Subject::FrontEndsOfKey(key)])
            }
        };
        front_end.into_iter().flatten().chain([Subject::Key(self.api_key())])
    }
}

/// A holder of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Key([u8; 32]),
    FrontEndsOfKey([u8; 32]),
    FrontEndsOfAccount([u8; 32]),
}

impl Subject {
    /// Its share of a key's limit, at least one.
    pub(super) fn limit(self, of_key: NonZeroU32) -> NonZeroU32 {
        let share = match self {
            Self::Key(_) => of_key.get(),
            Self::FrontEndsOfKey(_) => of_key.get() / 2,
            Self::FrontEndsOfAccount(_) => of_key.get() / 4,
        };
        NonZeroU32::new(share).unwrap_or(NonZeroU32::MIN)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Key(_) => "of this API key",
            Self::FrontEndsOfKey(_) => "of this API key's front ends",
            Self::FrontEndsOfAccount(_) => "of this linked account's front ends",
        }
    }
}
