//! Claims of hosts to work. The row of a claim is the host that has it; it goes with the lease of that host.

use async_trait::async_trait;

use super::engine::Engine;
use super::hints::Hints;
use super::host::Host;
use super::keys;
use super::table::Table;
use super::view::View;
use crate::{Claim, ClaimStore, StoreResult, Work};

#[async_trait]
impl<E: Engine> ClaimStore for E {
    async fn claim(&self, work: &Work) -> StoreResult<Claim> {
        let Some(host) = self.host() else { return Ok(Claim::Ours) };
        // Most claims are known to be taken without a transaction that writes.
        match self.claimed(work).await? {
            Claim::Free => {}
            known => return Ok(known),
        }
        let row = keys::work(work);
        self.write(512, Hints::default(), move |view| claim(view, &row, host)).await
    }

    async fn release(&self, work: &Work) -> StoreResult<()> {
        let Some(host) = self.host() else { return Ok(()) };
        let row = keys::work(work);
        self.write(512, Hints::default(), move |view| release(view, &row, host)).await
    }

    async fn claimed(&self, work: &Work) -> StoreResult<Claim> {
        let Some(host) = self.host() else { return Ok(Claim::Ours) };
        Ok(whose(self.record(Table::Claims, &keys::work(work)).await?, host))
    }
}

fn whose(found: Option<Host>, host: Host) -> Claim {
    match found {
        None => Claim::Free,
        Some(found) if found == host => Claim::Ours,
        Some(_) => Claim::Theirs,
    }
}

/// Implements [`ClaimStore::claim`].
pub(super) fn claim(view: &mut View<'_>, row: &[u8], host: Host) -> StoreResult<Claim> {
    match whose(view.get(Table::Claims, row)?, host) {
        Claim::Free => {
            view.put(Table::Claims, row.to_vec(), &host)?;
            Ok(Claim::Ours)
        }
        known => Ok(known),
    }
}

/// Implements [`ClaimStore::release`].
pub(super) fn release(view: &mut View<'_>, row: &[u8], host: Host) -> StoreResult<()> {
    if whose(view.get(Table::Claims, row)?, host) == Claim::Ours {
        view.remove(Table::Claims, row.to_vec());
    }
    Ok(())
}
