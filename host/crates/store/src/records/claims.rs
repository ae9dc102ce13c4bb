//! Claims of hosts to work. The row of a claim is the host that has it; it goes with the lease of that host.

use async_trait::async_trait;

use super::engine::Engine;
use super::hints::Hints;
use super::keys;
use super::table::Table;
use super::view::View;
use crate::{Claim, ClaimStore, StoreResult, Work};

/// A host: the place of its lease, and the lease's number. It is what a row of a claim consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) slot: u8,
    pub(crate) number: i64,
}

impl Host {
    fn bytes(self) -> Vec<u8> {
        [[self.slot].as_slice(), &self.number.to_be_bytes()].concat()
    }

    /// Whether this row of a claim is that of a host with this place, of whichever lease.
    pub(crate) fn is_of(slot: u8, row: &[u8]) -> bool {
        row.first() == Some(&slot)
    }
}

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
        let row = keys::work(work);
        let found = self.read(move |rows| {
            let mut found = Claim::Free;
            rows.get(Table::Claims, &row, &mut |bytes| {
                found = whose(bytes, host);
                Ok(())
            })?;
            Ok(found)
        });
        found.await
    }
}

fn whose(row: &[u8], host: Host) -> Claim {
    if row == host.bytes() { Claim::Ours } else { Claim::Theirs }
}

/// Implements [`ClaimStore::claim`].
fn claim(view: &mut View<'_>, row: &[u8], host: Host) -> StoreResult<Claim> {
    if let Some(found) = view.raw(Table::Claims, row)? {
        return Ok(whose(&found, host));
    }
    view.put_raw(Table::Claims, row.to_vec(), host.bytes())?;
    Ok(Claim::Ours)
}

/// Implements [`ClaimStore::release`].
fn release(view: &mut View<'_>, row: &[u8], host: Host) -> StoreResult<()> {
    if view.raw(Table::Claims, row)?.is_some_and(|found| whose(&found, host) == Claim::Ours) {
        view.remove(Table::Claims, row.to_vec());
    }
    Ok(())
}
