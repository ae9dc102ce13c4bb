//! A connection of the pool that is in a transaction.

use deadpool_postgres::Object;
use tokio_postgres::Client;

use super::fault::Fault;

/// A connection that is closed when it is dropped, so that none in the middle of a transaction is put back.
pub(super) struct Lent(Option<Object>);

impl Lent {
    pub(super) fn new(client: Object) -> Self {
        Self(Some(client))
    }

    pub(super) fn client(&self) -> Result<&Client, Fault> {
        self.0.as_ref().map(|client| &***client).ok_or_else(|| Fault::lost("there is no connection"))
    }

    /// Puts it back into the pool: its transaction has ended.
    pub(super) fn put_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}
