use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};

use lol_alloc::FreeListAllocator;

/// Bytes that most calls get by with. They are there from the start: to grow its memory is the dearest thing that a plugin
/// can do besides sending a request, since the host has to change the mapping of pages for all of its threads.
const ARENA: usize = 64 * 1024;

/// A plugin lives for one call and allocates little, so that a small allocator is better than a fast one: the usual one is
/// an eighth of the component.
#[global_allocator]
static ALLOCATOR: Heap = Heap { blocks: FreeListAllocator::new(), begun: Cell::new(false) };

/// A static of its own, so that it consists of zeros only, which a component does not have to carry.
static FIRST: Arena = Arena(UnsafeCell::new([0; ARENA]));

struct Heap {
    blocks: FreeListAllocator,
    begun: Cell<bool>,
}

/// Aligned for every alignment that a block may need.
#[repr(C, align(16))]
struct Arena(UnsafeCell<[u8; ARENA]>);

// SAFETY: a component is built for wasm32 without threads, and a host enters an instance by one call at a time.
unsafe impl Sync for Heap {}
// SAFETY: the same.
unsafe impl Sync for Arena {}

// SAFETY: all blocks come from, and go back to, `blocks`, which keeps to the contract. It takes the arena for a block of its
// own that is freed: nothing else uses those bytes, they stay for ever, and are aligned as blocks are.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !self.begun.replace(true) {
            // SAFETY: argued above.
            unsafe { self.blocks.dealloc(FIRST.0.get().cast(), Layout::new::<Arena>()) };
        }
        // SAFETY: the caller answers for it.
        unsafe { self.blocks.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller answers for it.
        unsafe { self.blocks.dealloc(block, layout) }
    }
}
