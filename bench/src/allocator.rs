//! The allocator of each rung and floor: mimalloc, as in the server. On all rungs but hyper's hello, the wrapper that
//! clears freed memory is on top of it.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, Ordering};

use keyferry_types::zeroizing::WipingAllocator;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: Chosen = Chosen;

static WIPES: AtomicBool = AtomicBool::new(false);
static WIPING: WipingAllocator<MiMalloc> = WipingAllocator::over(MiMalloc);

struct Chosen;

/// Clears freed memory from now on, as the server does.
pub(crate) fn wipe() {
    WIPES.store(true, Ordering::Relaxed);
}

// SAFETY: every block comes from and goes back to mimalloc: the wrapper that wipes uses it. So a block that was
// allocated before the change can be freed after it.
unsafe impl GlobalAlloc for Chosen {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: as the caller promises.
            unsafe { WIPING.dealloc(block, layout) }
        } else {
            // SAFETY: as the caller promises.
            unsafe { MiMalloc.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if WIPES.load(Ordering::Relaxed) {
            // SAFETY: as the caller promises.
            unsafe { WIPING.realloc(block, layout, size) }
        } else {
            // SAFETY: as the caller promises.
            unsafe { MiMalloc.realloc(block, layout, size) }
        }
    }
}
