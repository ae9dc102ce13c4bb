//! The trees of the database.

use std::path::Path;

use sled::{Db, Tree};

use crate::{StoreError, StoreResult};

/// One kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Meta,
    ApiKeys,
    Roots,
    Accounts,
    AccountOrder,
    Integrations,
    Idempotency,
    IdempotencyEnds,
    Audit,
    AuditHeads,
    Webhooks,
    Outbox,
    Undelivered,
    UndeliveredEnds,
    Sessions,
    Imports,
    ImportFiles,
    ImportPlaces,
    ImportRows,
    ImportInputs,
    ImportFormer,
    ImportCounts,
}

impl Table {
    pub(super) const ALL: [Self; 22] = [
        Self::Meta,
        Self::ApiKeys,
        Self::Roots,
        Self::Accounts,
        Self::AccountOrder,
        Self::Integrations,
        Self::Idempotency,
        Self::IdempotencyEnds,
        Self::Audit,
        Self::AuditHeads,
        Self::Webhooks,
        Self::Outbox,
        Self::Undelivered,
        Self::UndeliveredEnds,
        Self::Sessions,
        Self::Imports,
        Self::ImportFiles,
        Self::ImportPlaces,
        Self::ImportRows,
        Self::ImportInputs,
        Self::ImportFormer,
        Self::ImportCounts,
    ];

    /// Name of the sled tree, which is part of the format on disk.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::ApiKeys => "api_keys",
            Self::Roots => "roots",
            Self::Accounts => "accounts",
            Self::AccountOrder => "account_order",
            Self::Integrations => "integrations",
            Self::Idempotency => "idempotency",
            Self::IdempotencyEnds => "idempotency_ends",
            Self::Audit => "audit",
            Self::AuditHeads => "audit_heads",
            Self::Webhooks => "webhooks",
            Self::Outbox => "outbox",
            Self::Undelivered => "undelivered",
            Self::UndeliveredEnds => "undelivered_ends",
            Self::Sessions => "sessions",
            Self::Imports => "imports",
            Self::ImportFiles => "import_files",
            Self::ImportPlaces => "import_places",
            Self::ImportRows => "import_rows",
            Self::ImportInputs => "import_inputs",
            Self::ImportFormer => "import_former",
            Self::ImportCounts => "import_counts",
        }
    }

    /// Name of a row's kind, for messages.
    pub(super) fn record(self) -> &'static str {
        match self {
            Self::Meta => "a setting of the store",
            Self::ApiKeys => "the API key's record",
            Self::Roots => "the root",
            Self::Accounts | Self::AccountOrder => "the linked account",
            Self::Integrations => "the integration",
            Self::Idempotency | Self::IdempotencyEnds => "the response stored for an Idempotency-Key",
            Self::Audit | Self::AuditHeads => "the audit event",
            Self::Webhooks => "the webhook",
            Self::Outbox | Self::Undelivered | Self::UndeliveredEnds => "the webhook delivery",
            Self::Sessions => "the session",
            Self::Imports | Self::ImportFiles | Self::ImportCounts => "the import",
            Self::ImportPlaces | Self::ImportRows => "the row",
            Self::ImportInputs => "the row's credential",
            Self::ImportFormer => "the credential that the row replaced",
        }
    }
}

/// The open trees, in the order of [`Table::ALL`].
#[derive(Clone)]
pub(super) struct Tables {
    db: Db,
    trees: Vec<Tree>,
}

impl Tables {
    pub(super) fn open(db: Db) -> sled::Result<Self> {
        let trees = Table::ALL.iter().map(|table| db.open_tree(table.name())).collect::<Result<_, _>>()?;
        Ok(Self { db, trees })
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    pub(super) fn all(&self) -> &[Tree] {
        &self.trees
    }

    pub(super) fn tree(&self, table: Table) -> StoreResult<&Tree> {
        // The list is made of `ALL`, whose order is that of the variants.
        self.trees.get(table as usize).ok_or(StoreError::Contradiction("a table is not open"))
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> StoreResult<Option<sled::IVec>> {
        self.tree(table)?.get(key).map_err(read_error)
    }
}

/// Maps an error of a sled read.
pub(super) fn read_error(error: sled::Error) -> StoreError {
    StoreError::Read(Box::new(error))
}

/// Maps a failure of opening the database.
pub(super) fn open_error(path: &Path, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(source) => StoreError::Open { action: "open the store at", path: path.to_owned(), source },
        other => StoreError::Corrupt { path: path.to_owned(), reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_stands_at_its_place() {
        for (place, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table as usize, place, "{}", table.name());
        }
    }
}
