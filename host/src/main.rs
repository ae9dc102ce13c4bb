//! The `keyferry` binary.

use std::ffi::c_char;
use std::process::ExitCode;

use keyferry_types::wiping::WipingAllocator;
use tikv_jemallocator::Jemalloc;

/// jemalloc: glibc's allocator has one lock for many threads, so that they wait for each other, or an arena a thread, each of
/// which keeps what its largest moment took. `keyferry-tests import` with another one in its place shows the difference.
#[global_allocator]
static ALLOCATOR: WipingAllocator<Jemalloc> = WipingAllocator::over(Jemalloc);

/// jemalloc's options (<https://jemalloc.net/jemalloc.3.html#tuning>): what is freed goes back to the system within a second, by a
/// thread of its own.
#[repr(transparent)]
struct Options(*const c_char);

// SAFETY: it points to a constant that nobody can write to.
unsafe impl Sync for Options {}

// SAFETY: jemalloc looks for a pointer to a C string under this name, which is its own: all its names begin so.
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: Options = Options(c"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0".as_ptr());

fn main() -> ExitCode {
    keyferry::cli::main()
}
