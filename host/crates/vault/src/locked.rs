//! [`LockedKey`]: a key in memory that is neither written to swap nor part of a dump.
//!
//! A page is the least that can be locked, and a process may lock few of them. So keys share pages: one page has room for
//! those of 128 organisations.

use std::fmt;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::Once;

use parking_lot::Mutex;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous};
use zeroize::Zeroize as _;

use super::harden::HardenWarning;

type Bytes = [u8; 32];

const PAGE: usize = 4096;
const SLOTS: usize = PAGE / size_of::<Bytes>();

/// Free slots of locked pages. Pages are kept: a slot that one organisation's key leaves is used for another's.
static FREE: Mutex<Vec<Slot>> = Mutex::new(Vec::new());

/// A slot of a locked page, with exclusive ownership.
struct Slot(NonNull<Bytes>);

// SAFETY: a slot is the only way to its bytes, and they are memory of the process, not of a thread.
unsafe impl Send for Slot {}
// SAFETY: a shared slot gives out shared bytes alone.
unsafe impl Sync for Slot {}

/// A 256-bit key that stays where it was made: moving this moves a pointer. Wiped when dropped.
///
/// If the system does not allow the lock, the key is held without it, and the log says so once.
pub(super) struct LockedKey(Slot);

impl LockedKey {
    /// Lets `write` fill the key in its final memory, so that no copy is left behind.
    ///
    /// # Errors
    /// Those of `write`.
    pub(super) fn write<E>(write: impl FnOnce(&mut Bytes) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Self(take());
        // SAFETY: the slot was free, so no other code has it, and its bytes are initialised: when the page was created,
        // or by `drop`.
        write(unsafe { key.0.0.as_mut() })?;
        Ok(key)
    }
}

impl Deref for LockedKey {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        // SAFETY: the page is never given back, and only `write` and `drop`, which have the key to themselves, change it.
        unsafe { self.0.0.as_ref() }
    }
}

impl Drop for LockedKey {
    fn drop(&mut self) {
        // SAFETY: `drop` has exclusive access to the key.
        unsafe { self.0.0.as_mut() }.zeroize();
        FREE.lock().push(Slot(self.0.0));
    }
}

impl fmt::Debug for LockedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn take() -> Slot {
    let mut free = FREE.lock();
    loop {
        if let Some(slot) = free.pop() {
            return slot;
        }
        let page: NonNull<Bytes> = page().cast();
        // SAFETY: the page has room for that many, one after the other, and lives as long as the process.
        free.extend((0..SLOTS).map(|at| Slot(unsafe { page.add(at) })));
    }
}

/// A page of zeros, locked where that is allowed.
fn page() -> NonNull<u8> {
    // SAFETY: the system chooses the place, so nothing that is mapped is replaced.
    let mapped =
        unsafe { mmap_anonymous(ptr::null_mut(), PAGE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) };
    let page = match mapped.map(NonNull::new) {
        Ok(Some(page)) => page,
        Ok(None) | Err(_) => {
            warn(rustix::io::Errno::NOMEM);
            return NonNull::from(Box::leak(Box::new([0_u8; PAGE]))).cast();
        }
    };
    // A kernel that does not know this advice has no core dumps from us either: they are off for the whole process.
    #[cfg(target_os = "linux")]
    // SAFETY: this process owns the page, and its content is not changed.
    let _ = unsafe { madvise(page.as_ptr(), PAGE, Advice::LinuxDontDump) };
    // SAFETY: this process owns the page, and a lock does not change its content.
    if let Err(error) = unsafe { mlock(page.as_ptr(), PAGE) } {
        warn(error);
    }
    page.cast()
}

fn warn(error: rustix::io::Errno) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::warn!("{}", HardenWarning::Unlocked(error.into())));
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use static_assertions::assert_not_impl_any;

    use super::*;

    assert_not_impl_any!(LockedKey: fmt::Display, Serialize, Clone);

    fn key(byte: u8) -> LockedKey {
        LockedKey::write(|bytes| {
            assert_eq!(*bytes, [0; 32], "a place is empty before it is used");
            bytes.fill(byte);
            Ok::<_, ()>(())
        })
        .unwrap()
    }

    #[test]
    fn each_key_has_a_place_of_its_own_that_is_empty_again_when_it_goes() {
        let keys: Vec<LockedKey> = (0..3 * SLOTS).map(|n| key(n as u8 | 1)).collect();
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(**key, [n as u8 | 1; 32]);
        }
        drop(keys);
        let again: Vec<LockedKey> = (0..3 * SLOTS).map(|_| key(7)).collect();
        assert!(again.iter().all(|key| **key == [7; 32]));
    }

    #[test]
    fn a_key_that_could_not_be_written_is_none() {
        let failed = LockedKey::write(|bytes| {
            bytes.fill(9);
            Err("no")
        });
        assert_eq!(failed.err(), Some("no"));
        let _next = key(1);
    }

    #[test]
    fn its_debug_form_says_nothing() {
        assert_eq!(format!("{:?}", key(65)), "***");
    }
}
