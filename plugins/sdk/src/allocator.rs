use lol_alloc::{AssumeSingleThreaded, FreeListAllocator};

/// A plugin lives for one call and allocates little, so that a small allocator is better than a fast one: the usual one is
/// an eighth of the component.
#[global_allocator]
static ALLOCATOR: AssumeSingleThreaded<FreeListAllocator> =
    // SAFETY: a component is built for wasm32 without threads, and a host enters an instance by one call at a time.
    unsafe { AssumeSingleThreaded::new(FreeListAllocator::new()) };
