//! All rows, and the filling of an empty store with them.

use std::sync::Arc;

use async_trait::async_trait;

use super::engine::Engine;
use super::hints::Hints;
use super::own::{UNFINISHED, is_own};
use super::rows::{ENOUGH, NEXT, Range, Rows};
use super::table::Table;
use super::view::View;
use crate::{Change, ContentStore, Pieces, RowPlace, StoreResult, Unfinished};

#[async_trait]
impl<E: Engine> ContentStore for E {
    async fn content(&self, after: Option<RowPlace>) -> StoreResult<Pieces> {
        self.pieces(after).await
    }

    async fn is_empty(&self) -> StoreResult<bool> {
        self.scan(is_empty).await
    }

    async fn unfinished(&self) -> StoreResult<Option<Unfinished>> {
        self.record(Table::Meta, UNFINISHED).await
    }

    async fn fill(&self, changes: Vec<Change>, mark: Unfinished) -> StoreResult<()> {
        let weight = changes.iter().map(Change::size).sum();
        let changes = Arc::new(changes);
        self.write(weight, Hints::default(), move |view| fill(view, &changes, &mark)).await
    }

    async fn finish(&self) -> StoreResult<()> {
        self.write(0, Hints::default(), |view| {
            view.remove(Table::Meta, UNFINISHED.to_vec());
            Ok(())
        })
        .await
    }
}

/// Implements [`ContentStore::is_empty`].
fn is_empty(rows: &dyn Rows) -> StoreResult<bool> {
    for table in Table::ALL {
        let mut is_empty = true;
        rows.walk(table, Range::of(&[]), &mut |key, _| {
            is_empty = is_own(table, key);
            if is_empty { NEXT } else { ENOUGH }
        })?;
        if !is_empty {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Implements [`ContentStore::fill`].
fn fill(view: &mut View<'_>, changes: &[Change], mark: &Unfinished) -> StoreResult<()> {
    for Change { table, key, record } in changes {
        // A file can say anything; what is an engine's own has to stay.
        if is_own(*table, key) {
            continue;
        }
        match record {
            Some(record) => view.put_raw(*table, key.clone(), record.clone())?,
            None => view.remove(*table, key.clone()),
        }
    }
    view.put(Table::Meta, UNFINISHED.to_vec(), mark)
}
