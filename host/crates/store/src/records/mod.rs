//! The use cases of a store, on rows: what each subject's trait does, whichever engine keeps the rows.
//!
//! A write is a function over a [`View`](view::View); the engine carries out many of them as one batch. Nothing here knows an engine but by
//! [`Rows`] and [`Engine`].
//!
//! | file | answers |
//! |---|---|
//! | `engine`, `rows`, `hints`, `host` | what does a use case know of its engine, and what does it tell it? |
//! | `table`, `keys`, `codec` | which tables are there, and what are their keys and bytes? |
//! | `view`, `changes` | what does one write of a batch see and change? |
//! | `writer`, `queue`, `job` | how do writes get to the thread that carries them out? |
//! | `wakes` | how are the callers of a batch woken? |
//! | `audit_head`, `audit_chain` | how are events chained? |
//! | `own` | which rows belong to an engine, and not to what is stored? |
//! | `audit_pending` | where do they wait for it, if several hosts write? |
//! | `census`, `sweep` | how many records are there, and which have expired? |
//! | the others | how is the trait of that subject implemented? |

mod accounts;
mod api_keys;
mod audit;
mod audit_chain;
mod audit_head;
mod audit_pending;
mod census;
mod changes;
mod claims;
mod codec;
mod content;
mod engine;
mod hints;
mod host;
mod imports;
mod integrations;
mod job;
mod keys;
mod ledger;
mod migrations;
mod oauth_clients;
mod outbox;
mod own;
mod plugins;
mod queue;
mod renewals;
mod roots;
mod rows;
mod sessions;
mod sweep;
mod table;
mod view;
mod wakes;
mod webhooks;
mod writer;

pub(crate) use audit_chain::link;
pub(crate) use audit_pending::{Left, link_waiting, park};
pub(crate) use census::census;
pub(crate) use changes::Changes;
pub(crate) use codec::decode;
pub(crate) use engine::Engine;
pub(crate) use hints::Hints;
pub(crate) use host::Host;
pub(crate) use job::{Job, reply_to_all};
pub(crate) use own::{BATCHES, FORMAT, HAS_WATERMARK, LAYOUT, UNFINISHED, is_own};
pub(crate) use queue::{Batch, Queue};
pub(crate) use rows::{Range, Rows, Take};
pub(crate) use sweep::sweep;
pub(crate) use table::Table;
pub(crate) use wakes::batched;
pub(crate) use writer::Writer;

#[cfg(test)]
pub(crate) use {
    audit_chain::append,
    keys::{audit as audit_key, org as org_key},
    outbox::log,
    view::View,
};
