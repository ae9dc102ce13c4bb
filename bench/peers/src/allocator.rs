//! The allocator of whoever is measured: jemalloc, as Keyferry's server has. That one clears what it frees, and others do not.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, Ordering};

use keyferry_types::wiping::WipingAllocator;
use tikv_jemallocator::Jemalloc;

/// What becomes of memory that is freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freed {
    /// It is cleared first.
    Wiped,
    /// It stays as it is.
    AsItIs,
}

/// Both take their blocks from jemalloc, so a block can be freed by either.
struct Switch(WipingAllocator<Jemalloc>);

#[global_allocator]
static SWITCH: Switch = Switch(WipingAllocator::over(Jemalloc));
static WIPES: AtomicBool = AtomicBool::new(false);

/// Does something with this process's memory treated that way.
pub(crate) fn with<T>(freed: Freed, work: impl FnOnce() -> T) -> T {
    let before = WIPES.swap(freed == Freed::Wiped, Ordering::Relaxed);
    let done = work();
    WIPES.store(before, Ordering::Relaxed);
    done
}

// SAFETY: every block comes from `Jemalloc` and goes back to it under the caller's layout, cleared by the other one or not.
unsafe impl GlobalAlloc for Switch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { Jemalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { Jemalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises; both have the blocks of `Jemalloc`.
        unsafe {
            if WIPES.load(Ordering::Relaxed) { self.0.dealloc(block, layout) } else { Jemalloc.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises; both have the blocks of `Jemalloc`.
        unsafe {
            if WIPES.load(Ordering::Relaxed) {
                self.0.realloc(block, layout, size)
            } else {
                Jemalloc.realloc(block, layout, size)
            }
        }
    }
}
