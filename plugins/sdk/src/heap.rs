use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr;

/// Alignment of every block.
const ALIGN: usize = 8;
/// The smallest block in bytes.
const LEAST: usize = 16;
/// Two for each power of two.
const CLASSES: usize = 2 * usize::BITS as usize;

/// Memory of at least so many bytes: its beginning and its length.
type Grow = fn(usize) -> Option<(*mut u8, usize)>;

/// The heap of an instance that lives for one call and is dropped whole: speed counts, and memory that is left over does not. A
/// block is cut from the front of what no block has had yet, and what is freed is kept for the next block of its size.
pub(crate) struct Heap {
    /// The first byte that no block has.
    front: Cell<*mut u8>,
    /// The end of the memory in which `front` lies.
    end: Cell<*mut u8>,
    /// Freed blocks by their class, each with the address of the next one.
    freed: [Cell<*mut Freed>; CLASSES],
    grow: Grow,
}

struct Freed {
    next: *mut Freed,
}

/// The class of a size, and the bytes of its blocks: a power of two, or halfway between two of them.
#[inline]
fn class(size: usize) -> (usize, usize) {
    let last = size.max(LEAST) - 1;
    let log = last.ilog2();
    let half = (last >> (log - 1)) & 1;
    (2 * log as usize + half, (half + 3) << (log - 1))
}

impl Heap {
    /// A heap in this memory; `grow` gets more.
    pub(crate) const fn over(start: *mut u8, length: usize, grow: Grow) -> Self {
        Self {
            front: Cell::new(start),
            end: Cell::new(start.wrapping_add(length)),
            freed: [const { Cell::new(ptr::null_mut()) }; CLASSES],
            grow,
        }
    }

    #[inline]
    fn cut(&self, size: usize, align: usize) -> *mut u8 {
        let block = self.front.get();
        let block = block.wrapping_add(block.addr().wrapping_neg() & (align.max(ALIGN) - 1));
        if self.end.get().addr().checked_sub(block.addr()).is_none_or(|left| left < size) {
            return self.cut_from_more(size, align);
        }
        self.front.set(block.wrapping_add(size));
        block
    }

    #[cold]
    #[inline(never)]
    fn cut_from_more(&self, size: usize, align: usize) -> *mut u8 {
        let grown = size.checked_add(align).and_then(self.grow);
        let Some((start, length)) = grown else { return ptr::null_mut() };
        // Memory that continues what there is leaves no gap.
        if start != self.end.get() {
            self.front.set(start);
        }
        self.end.set(start.wrapping_add(length));
        self.cut(size, align)
    }
}

// SAFETY: a block is cut from bytes that no other block has had, or it is a freed one of the same class, and so of the same size.
// It is aligned: it is cut at the alignment that is asked for, and a freed one serves `ALIGN` at most, which every block has. A
// size that is rounded up to its class is at least the size in the layout.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (class, size) = class(layout.size());
        let Some(freed) = self.freed.get(class) else { return ptr::null_mut() };
        let block = freed.get();
        if block.is_null() || layout.align() > ALIGN {
            return self.cut(size, layout.align());
        }
        // SAFETY: `dealloc` wrote what is read here, and nothing has used the block since.
        freed.set(unsafe { (*block).next });
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (class, size) = class(layout.size());
        if block.wrapping_add(size) == self.front.get() {
            return self.front.set(block);
        }
        let Some(freed) = self.freed.get(class) else { return };
        let block = block.cast::<Freed>();
        // SAFETY: the caller gives the block up; it is aligned for an address, and has room for one.
        unsafe { block.write(Freed { next: freed.get() }) };
        freed.set(block);
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let ((_, had), (_, wanted)) = (class(layout.size()), class(size));
        if had == wanted {
            return block;
        }
        // The block before the front grows and shrinks in its place.
        let is_last = block.wrapping_add(had) == self.front.get();
        if is_last && wanted <= self.end.get().addr().wrapping_sub(block.addr()) {
            self.front.set(block.wrapping_add(wanted));
            return block;
        }
        // SAFETY: the caller answers for the size with this alignment. Both blocks are in use, so that they do not overlap.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;

    use proptest::prelude::*;

    use super::*;

    const FIRST: usize = 4096;

    fn memory(least: usize) -> Option<(*mut u8, usize)> {
        let length = least.next_multiple_of(FIRST);
        // SAFETY: the length is not 0, and the memory is never freed.
        Some((unsafe { System.alloc(Layout::from_size_align(length, 16).unwrap()) }, length))
    }

    fn heap() -> Heap {
        let (start, length) = memory(FIRST).unwrap();
        Heap::over(start, length, memory)
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn a_class_has_room_for_its_sizes_and_wastes_a_third_at_most() {
        let mut former = (0, 0);
        for size in 1..100_000 {
            let (class, block) = class(size);
            assert!(block >= size && block.is_multiple_of(ALIGN), "{size}: {block}");
            assert!(size <= LEAST || block <= size.next_multiple_of(ALIGN) * 3 / 2, "{size}: {block}");
            assert_eq!((class, block) != former, size > former.1, "{size}");
            former = (class, block);
        }
        assert!(class(usize::MAX / 2).0 < CLASSES);
    }

    #[test]
    fn the_last_block_grows_in_its_place_and_freed_memory_is_used_again() {
        let heap = heap();
        // SAFETY: each block is resized and freed under the layout that it has.
        unsafe {
            let below = heap.alloc(layout(100, 1));
            let last = heap.alloc(layout(8, 1));
            assert_eq!(heap.realloc(last, layout(8, 1), 1000), last);
            let above = heap.alloc(layout(1, 1));
            let moved = heap.realloc(last, layout(1000, 1), 1500);
            assert_ne!(moved, last, "there is a block above it");
            assert_eq!(heap.alloc(layout(900, 8)), last, "of the same class");
            heap.dealloc(below, layout(100, 1));
            assert_eq!(heap.alloc(layout(97, 4)), below);
            heap.dealloc(moved, layout(1500, 1));
            assert_eq!(heap.alloc(layout(1, 1)), moved, "the last block gives its memory back");
            assert_eq!(above.addr() % ALIGN, 0);
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Make(usize, usize),
        Resize(usize, usize),
        Free(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = || prop_oneof![1..100_usize, 1..10_000_usize];
        prop_oneof![
            (size(), 0..6_u32).prop_map(|(size, log)| Step::Make(size, 1 << log)),
            (any::<usize>(), size()).prop_map(|(which, size)| Step::Resize(which, size)),
            any::<usize>().prop_map(Step::Free),
        ]
    }

    proptest! {
        #[test]
        fn every_block_keeps_its_bytes_and_its_alignment(steps in prop::collection::vec(step(), 1..200)) {
            let heap = heap();
            let mut blocks: Vec<(*mut u8, Layout, u8)> = Vec::new();
            for (step, mark) in steps.into_iter().zip((0..=u8::MAX).cycle()) {
                // SAFETY: each block is written within its size, and resized and freed under the layout that it has.
                unsafe {
                    match step {
                        Step::Make(size, align) => {
                            let block = heap.alloc(layout(size, align));
                            prop_assert_eq!(block.addr() % align, 0);
                            block.write_bytes(mark, size);
                            blocks.push((block, layout(size, align), mark));
                        }
                        Step::Resize(which, size) if !blocks.is_empty() => {
                            let which = which % blocks.len();
                            let (block, had, mark) = blocks[which];
                            let moved = heap.realloc(block, had, size);
                            prop_assert_eq!(moved.addr() % had.align(), 0);
                            let kept = std::slice::from_raw_parts(moved, size.min(had.size()));
                            prop_assert!(kept.iter().all(|byte| *byte == mark));
                            moved.write_bytes(mark, size);
                            blocks[which] = (moved, layout(size, had.align()), mark);
                        }
                        Step::Free(which) if !blocks.is_empty() => {
                            let (block, had, _) = blocks.swap_remove(which % blocks.len());
                            heap.dealloc(block, had);
                        }
                        Step::Resize(..) | Step::Free(_) => {}
                    }
                    for (block, layout, mark) in &blocks {
                        let bytes = std::slice::from_raw_parts(*block, layout.size());
                        prop_assert!(bytes.iter().all(|byte| byte == mark));
                    }
                }
            }
        }
    }
}
