//! The `keyferry` binary.

use std::process::ExitCode;

use keyferry_types::zeroizing::WipingAllocator;
use mimalloc::MiMalloc;

/// mimalloc: glibc's allocator has one lock for many threads, so that they wait for each other, or an arena a thread, each of
/// which keeps what its largest moment took. `keyferry-tests import` with another one in its place shows the difference.
#[global_allocator]
static ALLOCATOR: WipingAllocator<MiMalloc> = WipingAllocator::over(MiMalloc);

fn main() -> ExitCode {
    keyferry::cli::main()
}
