//! The steps of the job.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The last step of a rung, which also does all steps before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Step {
    /// hyper, which responds to each request with the same bytes. The system's allocator.
    Hello,
    /// The API key hashed and looked up, the body parsed into values that are wiped; memory is cleared before it is
    /// freed.
    Auth,
    /// The credential validated against the app's schema.
    Schema,
    /// Verified by a plugin that sends no request.
    Sandbox,
    /// Verified by the plugin for Stripe, which sends a request to a provider over TLS, on a kept connection.
    Egress,
    /// Sealed under the organisation's root key.
    Sealing,
    /// Committed to the store, durably, with its entry in the audit trail.
    Store,
}

impl Step {
    pub(crate) const ALL: [Self; 7] =
        [Self::Hello, Self::Auth, Self::Schema, Self::Sandbox, Self::Egress, Self::Sealing, Self::Store];

    /// The title in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Hello => "hyper hello",
            Self::Auth => "+ API key hashed and looked up, JSON parsed, memory wiped",
            Self::Schema => "+ validated against the app's schema",
            Self::Sandbox => "+ verified in the sandbox, without a request",
            Self::Egress => "+ a request to the provider, TLS on a kept connection",
            Self::Sealing => "+ sealed",
            Self::Store => "+ committed to the store, durably",
        }
    }

    /// The app that a request to it names.
    pub(crate) fn slug(self) -> &'static str {
        if self == Self::Sandbox { "quiet" } else { "stripe" }
    }
}
