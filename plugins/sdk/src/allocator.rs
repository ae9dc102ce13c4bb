use std::cell::UnsafeCell;
use std::ptr;

use crate::heap::Heap;

/// Bytes that most calls need no more than. They are there from the start: growing memory costs more than all else that a plugin
/// does besides sending a request, since the host has to change the mapping of pages for all of its threads.
const ARENA: usize = 64 * 1024;
/// A page of WebAssembly.
const PAGE: usize = 64 * 1024;
/// Pages by which memory grows, where the limit allows that many: one that does not suffice is not the last one.
const STEP: usize = 4;

/// An allocator of the SDK's own, because an instance lives for one call: see [`Heap`].
#[global_allocator]
static HEAP: Heap = Heap::over(FIRST.0.get().cast(), ARENA, grown);

/// A static of its own, so that it consists of zeros only, which a component does not have to carry.
static FIRST: Arena = Arena(UnsafeCell::new([0; ARENA]));

/// Aligned for every alignment that a block may need.
#[repr(C, align(16))]
struct Arena(UnsafeCell<[u8; ARENA]>);

// SAFETY: a component is built for wasm32 without threads, and a host enters an instance by one call at a time.
unsafe impl Sync for Arena {}
// SAFETY: the same.
unsafe impl Sync for Heap {}

/// Grows the memory of the component by at least so many bytes.
fn grown(least: usize) -> Option<(*mut u8, usize)> {
    let least = least.div_ceil(PAGE);
    [least.max(STEP), least].into_iter().find_map(|pages| {
        let before = core::arch::wasm32::memory_grow(0, pages);
        (before != usize::MAX).then(|| (ptr::with_exposed_provenance_mut(before * PAGE), pages * PAGE))
    })
}
