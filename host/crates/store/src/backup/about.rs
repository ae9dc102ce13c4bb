//! What a backup says of itself: its header, and the table of contents at its end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::records::Table;
use crate::{Origin, RootRecord, TableCounts, Timestamp};
use keyferry_types::ids::OrgId;

/// The header of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Names the backup: random, in hex.
    pub id: String,
    /// When it was begun.
    pub made_at: String,
    /// The version of Keyferry that made it.
    pub keyferry: String,
    /// The store that it was made of.
    pub store: Origin,
    /// The version of the layout of rows.
    pub layout: u32,
    /// The tables by name; sections have their numbers in this list.
    pub tables: Vec<String>,
    /// The number of root keys in use.
    pub root_keys: u64,
    /// The key-encryption keys that wrap them. One that wraps all of them opens the store.
    pub keys: Vec<KeyUse>,
}

/// A key-encryption key, and what it wraps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// The key: a fingerprint, an ARN, or the name in a transit engine.
    pub id: String,
    /// The number of root keys in use that it wraps.
    pub root_keys: u64,
    /// One of them, to find out whether a key that has this id opens it.
    pub sample: SampleRoot,
}

/// A wrapped root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRoot {
    /// The organisation.
    pub org: OrgId,
    /// Number of the root within its organisation.
    pub key_id: u32,
    /// The root, wrapped, in hex.
    pub wrapped: String,
}

/// The end of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trailer {
    /// The number of rows of each table that has some, after all changes.
    pub(super) rows: BTreeMap<String, u64>,
    /// SHA-256 of all bytes before this section, in hex.
    pub(super) sha256: String,
}

/// What is in a backup that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The number of rows in each table.
    pub rows: TableCounts,
    /// SHA-256 of all bytes before the end, in hex.
    pub sha256: String,
    /// The size in bytes.
    pub bytes: u64,
}

impl Header {
    /// The header of a backup that begins now.
    pub(super) fn new(id: String, store: Origin, layout: u32, roots: &[(OrgId, RootRecord)]) -> Self {
        let mut keys: BTreeMap<String, KeyUse> = BTreeMap::new();
        let in_use = roots.iter().filter(|(_, root)| root.disabled_at.is_none());
        let mut root_keys = 0;
        for (org, root) in in_use {
            root_keys += 1;
            for form in root.wrappings() {
                let first = || KeyUse {
                    id: form.kek_id.clone(),
                    root_keys: 0,
                    sample: SampleRoot { org: org.clone(), key_id: root.key_id, wrapped: hex::encode(&form.wrapped) },
                };
                keys.entry(form.kek_id.clone()).or_insert_with(first).root_keys += 1;
            }
        }
        Self {
            id,
            made_at: Timestamp::now().to_string(),
            keyferry: env!("CARGO_PKG_VERSION").to_owned(),
            store,
            layout,
            tables: Table::ALL.map(|table| table.name().to_owned()).to_vec(),
            root_keys,
            keys: keys.into_values().collect(),
        }
    }

    /// What a key-encryption key opens. `None` where it does not open all root keys in use.
    pub fn opened_by(&self, kek_id: &str) -> Option<&KeyUse> {
        self.keys.iter().find(|key| key.id == kek_id && key.root_keys == self.root_keys)
    }
}
