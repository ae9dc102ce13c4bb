//! Work that one host at a time does, and [`ClaimStore`].

use async_trait::async_trait;

use crate::error::StoreResult;
use crate::keys::{ImportKey, IntegrationKey, WebhookKey};

/// Work that one host at a time does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Work {
    /// The deliveries of a webhook.
    Deliveries(WebhookKey),
    /// An import: receiving its file, its rows, its undo, its deletion.
    Import(ImportKey),
    /// The renewal of an integration's tokens.
    Renewal(IntegrationKey),
}

/// Who does a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// This host.
    Ours,
    /// Another host.
    Theirs,
    /// None.
    Free,
}

/// Claims to work. A host that ends, or does not renew its lease in time, loses all its claims, and from then on none of its writes
/// is carried out. A store of one host needs no claims: all work is its own.
#[async_trait]
pub trait ClaimStore: Send + Sync + 'static {
    /// Claims a piece of work for this host, unless another one has it.
    async fn claim(&self, work: &Work) -> StoreResult<Claim>;

    /// Gives a piece of work up. What is not this host's is left alone.
    async fn release(&self, work: &Work) -> StoreResult<()>;

    /// Who does a piece of work now.
    async fn claimed(&self, work: &Work) -> StoreResult<Claim>;
}
