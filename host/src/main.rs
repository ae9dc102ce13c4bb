//! The `keyferry` binary.

use std::process::ExitCode;

use keyferry::wiping::WipingAllocator;

#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator::new();

fn main() -> ExitCode {
    keyferry::wiping::share_arenas();
    keyferry::cli::main()
}
