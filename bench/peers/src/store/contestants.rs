//! The contestants: Keyferry's store, an engine under the common committer, and sled without one.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;

use super::committer::Committer;
use super::engines::{Fjall, Raw, Redb, Sled, Sqlite};
use super::ours::Ours;
use super::records::Records;
use crate::outcome::{Outcome, Tried as _};

/// A contestant, which stores records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Keyferry's store
    Keyferry,
    /// A file that is appended to and synced, under the common committer
    Raw,
    /// sled 0.34 with the settings of Keyferry's store, under the common committer
    Sled,
    /// sled 0.34, a transaction, a flush and a sync for each record, as many at once as there are writers
    SledUngrouped,
    /// redb under the common committer
    Redb,
    /// fjall under the common committer
    Fjall,
    /// SQLite (WAL, synchronous=FULL) under the common committer
    Sqlite,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Keyferry => "Keyferry's store",
            Self::Raw => "append and fdatasync, same committer",
            Self::Sled => "sled 0.34, same committer",
            Self::SledUngrouped => "sled 0.34, a sync a record",
            Self::Redb => "redb, same committer",
            Self::Fjall => "fjall, same committer",
            Self::Sqlite => "SQLite WAL FULL, same committer",
        }
    }

    /// Opens it in an empty folder.
    pub(super) async fn open(self, folder: &Path) -> Outcome<Contestant> {
        let way = match self {
            Self::Keyferry => Way::Keyferry(Box::new(Ours::open(folder).await?)),
            Self::Raw => Way::Committed(Committer::start(Raw::open(folder)?)?),
            Self::Sled => Way::Committed(Committer::start(Sled::open(folder)?)?),
            Self::Redb => Way::Committed(Committer::start(Redb::open(folder)?)?),
            Self::Fjall => Way::Committed(Committer::start(Fjall::open(folder)?)?),
            Self::Sqlite => Way::Committed(Committer::start(Sqlite::open(folder)?)?),
            Self::SledUngrouped => Way::Direct { sled: Sled::open(folder)?, batches: AtomicU64::new(0) },
        };
        Ok(Contestant { way, records: Records::new()? })
    }
}

/// An open contestant.
pub(super) struct Contestant {
    way: Way,
    records: Records,
}

enum Way {
    Keyferry(Box<Ours>),
    Committed(Committer),
    Direct { sled: Sled, batches: AtomicU64 },
}

impl Contestant {
    /// Writes the migration of this number. It is on disk when this returns.
    pub(super) async fn write(&self, number: u64) -> Outcome<()> {
        match &self.way {
            Way::Keyferry(ours) => ours.write(number).await,
            Way::Committed(committer) => committer.write(self.records.rows(number)?).await,
            Way::Direct { sled, batches } => {
                let (sled, rows) = (sled.clone(), self.records.rows(number)?);
                // It blocks, as it would in a server.
                let written = tokio::task::spawn_blocking(move || sled.write(&[rows])).await;
                written.tried("run a blocking write")??;
                batches.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// The number of batches committed so far.
    pub(super) fn batches(&self) -> Outcome<u64> {
        match &self.way {
            Way::Keyferry(ours) => ours.batches(),
            Way::Committed(committer) => Ok(committer.batches()),
            Way::Direct { batches, .. } => Ok(batches.load(Ordering::Relaxed)),
        }
    }
}
