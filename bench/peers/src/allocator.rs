//! The allocator of each peer: mimalloc, as in Keyferry's server, which also clears the memory that it frees; the
//! peers' does not.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, Ordering};

use keyferry_types::zeroizing::WipingAllocator;
use mimalloc::MiMalloc;

/// The treatment of freed memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freed {
    /// It is cleared first.
    Wiped,
    /// It keeps its content.
    AsItIs,
}

/// Both take their blocks from mimalloc, so a block can be freed by either.
struct Switch(WipingAllocator<MiMalloc>);

#[global_allocator]
static SWITCH: Switch = Switch(WipingAllocator::over(MiMalloc));
static WIPES: AtomicBool = AtomicBool::new(false);

/// Runs a function with this treatment of freed memory in this process.
pub(crate) fn with<T>(freed: Freed, work: impl FnOnce() -> T) -> T {
    let before = WIPES.swap(freed == Freed::Wiped, Ordering::Relaxed);
    let done = work();
    WIPES.store(before, Ordering::Relaxed);
    done
}

// SAFETY: every block comes from `MiMalloc` and goes back to it under the caller's layout, cleared by the other one or
// not.
unsafe impl GlobalAlloc for Switch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises; both have the blocks of `MiMalloc`.
        unsafe {
            if WIPES.load(Ordering::Relaxed) { self.0.dealloc(block, layout) } else { MiMalloc.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises; both have the blocks of `MiMalloc`.
        unsafe {
            if WIPES.load(Ordering::Relaxed) {
                self.0.realloc(block, layout, size)
            } else {
                MiMalloc.realloc(block, layout, size)
            }
        }
    }
}
