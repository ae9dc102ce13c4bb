//! [`WipingAllocator`]: an allocator that clears memory before it is freed; and [`Zeroizing`] and [`to_zeroizing_vec`] for single
//! buffers.
//!
//! A secret passes through buffers that this code cannot reach: hyper's read and write buffers, those of TLS, vectors
//! that grew and left their former content behind. All of them are freed sooner or later, and the allocator sees each
//! of them then. It does not see stacks, nor memory that is still in use.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Write};
use std::mem;
use std::ops::{Deref, DerefMut};
use std::slice;

use zeroize::Zeroize as _;

/// A text or bytes that are cleared when they are dropped, and that cannot be printed.
///
/// [`zeroize::Zeroizing`] clears a vector byte by byte; this clears it at once, which is several times as fast.
///
/// ```
/// use keyferry_types::zeroizing::Zeroizing;
///
/// let text = Zeroizing::new(String::from("s3cr3t"));
/// assert_eq!(text.len(), 6);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Zeroizing<T: Clear>(T);

/// What [`Zeroizing`] can clear.
pub trait Clear {
    /// Clears all memory that the value owns, whether it is in use or spare.
    fn clear_all(&mut self);
}

impl Clear for Vec<u8> {
    fn clear_all(&mut self) {
        self.spare_capacity_mut().zeroize();
        self.as_mut_slice().zeroize();
        self.clear();
    }
}

impl Clear for String {
    fn clear_all(&mut self) {
        mem::take(self).into_bytes().clear_all();
    }
}

impl<T: Clear> Zeroizing<T> {
    /// Takes a value over.
    pub fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T: Clear> Drop for Zeroizing<T> {
    fn drop(&mut self) {
        self.0.clear_all();
    }
}

impl<T: Clear> Deref for Zeroizing<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clear> DerefMut for Zeroizing<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Clear + AsRef<U>, U: ?Sized> AsRef<U> for Zeroizing<T> {
    fn as_ref(&self) -> &U {
        self.0.as_ref()
    }
}

/// The output of `write` in one buffer that never moves and is wiped when dropped. `write` runs twice, the first time to measure
/// the length.
pub fn to_zeroizing_vec(write: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
    let mut length = Measure(0);
    write(&mut length)?;
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(length.0));
    write(&mut *bytes)?;
    Ok(bytes)
}

/// Counts the bytes that are written to it.
struct Measure(usize);

impl Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An allocator over another one (by default the system's) that clears every block before it frees, moves or shrinks
/// it.
///
/// The binary runs on it (`#[global_allocator]`); other programs that use the library can do the same.
#[derive(Debug, Clone, Copy)]
pub struct WipingAllocator<A = System>(A);

impl WipingAllocator {
    /// Uses the system's allocator.
    pub const fn new() -> Self {
        Self(System)
    }
}

impl<A> WipingAllocator<A> {
    /// Uses `inner` as the allocator.
    pub const fn over(inner: A) -> Self {
        Self(inner)
    }
}

impl Default for WipingAllocator {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every block comes from and goes back to the allocator inside, under the layout that the caller gave and vouches
// for. Nothing here unwinds or allocates. `realloc` is the trait's own: a new block, a copy, and `dealloc` of the old one, so
// that the former place of a block that moves is cleared too.
unsafe impl<A: GlobalAlloc> GlobalAlloc for WipingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is the one that the allocator inside asks for.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives up `block`, which has `layout.size()` bytes that no other code uses any more. They
        // are written before they are read as a slice, so none of them is uninitialised then.
        unsafe {
            clear(block, layout.size());
            // Without it the compiler may leave out writes to what is freed next.
            zeroize::optimization_barrier(slice::from_raw_parts(block, layout.size()));
            self.0.dealloc(block, layout);
        }
    }
}

/// Writes zeros over a block. Most blocks are small: for those the call of `memset` costs more than the writing, so that they
/// are written here, by stores of one size that overlap in the middle.
///
/// # Safety
/// The block has that many bytes, and can be written.
#[inline]
unsafe fn clear(block: *mut u8, size: usize) {
    /// Writes zeros over the first and the last `N` values of a block. Together they cover it if it has at most twice their bytes.
    ///
    /// # Safety
    /// The block has `size` bytes, which are at least those of `N` values, and can be written.
    #[inline]
    unsafe fn both_ends<T: Copy, const N: usize>(block: *mut u8, size: usize, zero: T) {
        // SAFETY: the caller says that `N` values fit at the beginning, and so at the end.
        unsafe {
            block.cast::<[T; N]>().write_unaligned([zero; N]);
            block.add(size - size_of::<[T; N]>()).cast::<[T; N]>().write_unaligned([zero; N]);
        }
    }

    // SAFETY: each size is at least that of `N` values, and at most twice that.
    unsafe {
        match size {
            65..=128 => both_ends::<u128, 4>(block, size, 0),
            33..=64 => both_ends::<u128, 2>(block, size, 0),
            16..=32 => both_ends::<u128, 1>(block, size, 0),
            8..=15 => both_ends::<u64, 1>(block, size, 0),
            4..=7 => both_ends::<u32, 1>(block, size, 0),
            _ => block.write_bytes(0, size),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Counts the bytes that come back with something in them.
    #[derive(Default)]
    struct Inspector {
        blocks: Cell<usize>,
        dirty: Cell<usize>,
    }

    // SAFETY: all is left to `System`; what is looked at is a block that its owner has given up and that was written whole.
    unsafe impl GlobalAlloc for Inspector {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: as the caller says.
            unsafe { System.alloc_zeroed(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: `alloc` above hands out blocks without an uninitialised byte.
            let bytes = unsafe { slice::from_raw_parts(block, layout.size()) };
            self.blocks.set(self.blocks.get() + 1);
            self.dirty.set(self.dirty.get() + bytes.iter().filter(|byte| **byte != 0).count());
            // SAFETY: as the caller says.
            unsafe { System.dealloc(block, layout) }
        }
    }

    /// A block of `size` bytes that are not zero is made, resized, and freed.
    fn resize<A: GlobalAlloc>(allocator: &A, size: usize, to: usize) {
        let (first, second) = (Layout::from_size_align(size, 8).unwrap(), Layout::from_size_align(to, 8).unwrap());
        // SAFETY: each block is written within its size, and resized and freed under the layout that it has then.
        unsafe {
            let block = allocator.alloc(first);
            block.write_bytes(0xA5, size);
            let block = allocator.realloc(block, first, to);
            assert_eq!(block.read(), 0xA5);
            allocator.dealloc(block, second);
        }
    }

    #[test]
    fn a_buffer_is_cleared_with_its_spare_room() {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(b"a secret and what was behind it");
        bytes.truncate(8);
        let (from, capacity) = (bytes.as_ptr(), bytes.capacity());
        bytes.clear_all();
        assert!(bytes.is_empty() && bytes.as_ptr() == from);
        // SAFETY: `clear_all` has written all bytes of the block, which `bytes` still owns.
        let block = unsafe { slice::from_raw_parts(from, capacity) };
        assert!(block.iter().all(|byte| *byte == 0));
        let mut text = String::from("s3cr3t");
        text.clear_all();
        assert_eq!(text, "");
    }

    #[test]
    fn no_block_is_given_back_with_anything_in_it() {
        let small = (1..300).flat_map(|size| [(size, size + 1), (size + 1, size)]);
        let large = [(100, 4096), (1 << 20, 1 << 10), (1 << 16, 1 << 21), ((3 << 20) + 77, 5), (1 << 18, 1 << 18)];
        for (size, to) in small.chain(large) {
            let (careless, wiping) = (Inspector::default(), WipingAllocator(Inspector::default()));
            resize(&careless, size, to);
            assert!(careless.dirty.get() >= size.min(to), "the inspector sees what is left");
            resize(&wiping, size, to);
            assert_eq!((wiping.0.blocks.get(), wiping.0.dirty.get()), (2, 0), "{size} to {to}");
        }
    }
}
