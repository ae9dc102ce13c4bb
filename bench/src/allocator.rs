//! The allocator of each rung: hyper's hello has the system's, as somebody who takes hyper has; all others have the one that
//! clears what it gives back, as the server has.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use keyferry::wiping::WipingAllocator;

#[global_allocator]
static ALLOCATOR: Chosen = Chosen;

static WIPES: AtomicBool = AtomicBool::new(false);
static WIPING: WipingAllocator = WipingAllocator::new();

struct Chosen;

/// From now on, as in the server: what is freed is cleared, and arenas are few. To be called before there are other threads.
pub(crate) fn wipe() {
    keyferry::wiping::share_arenas();
    WIPES.store(true, Ordering::Relaxed);
}

// SAFETY: every block comes from and goes back to the system's allocator: the one that wipes stands on it. So a block that was
// made before the change can be freed after it.
unsafe impl GlobalAlloc for Chosen {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: as the caller promises.
            unsafe { WIPING.dealloc(block, layout) }
        } else {
            // SAFETY: as the caller promises.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: as the caller promises.
            unsafe { WIPING.realloc(block, layout, size) }
        } else {
            // SAFETY: as the caller promises.
            unsafe { System.realloc(block, layout, size) }
        }
    }
}
