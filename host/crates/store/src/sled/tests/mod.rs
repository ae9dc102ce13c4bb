//! sled's own: folders, journals, disks.

mod durability;
mod harness;
mod journal;
mod opening;
mod power;

pub(crate) use harness::settings;
