//! The `keyferry` binary.

use std::alloc::System;
use std::process::ExitCode;

use keyferry::wiping::WipingAllocator;

#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator(System);

fn main() -> ExitCode {
    keyferry::cli::main()
}
