//! Nothing acknowledged is lost: kills, full and failing disks, shutdown, and what is left in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod crash;
mod disk;
mod durability;
mod memory;
mod shutdown;
