//! No acknowledged write is lost: kills, full and failing disks, shutdown, and data left in memory. And no cost grows
//! unnoticed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod backup;
mod cores;
mod cost;
mod crash;
mod disk;
mod durability;
mod hosts;
mod memory;
mod postgres;
mod shutdown;
