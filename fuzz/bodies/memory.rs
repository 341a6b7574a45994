//! How much memory this thread holds: an input must not make the program take more than its bounds.
//!
//! Counts only where [`Counting`] is the allocator, as it is in every target and in `tests/corpus.rs`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

pub struct Counting;

thread_local! {
    static HELD: Cell<i64> = const { Cell::new(0) };
    static MOST: Cell<i64> = const { Cell::new(0) };
}

/// Octets that this thread holds.
pub fn held() -> i64 {
    HELD.get()
}

/// The most that it held since it began, or since it was last measured.
pub fn most() -> i64 {
    MOST.get()
}

/// Runs `work`; the most octets that it held at one time beyond those held before.
pub fn most_held(work: impl FnOnce()) -> i64 {
    let before = held();
    MOST.set(before);
    work();
    most() - before
}

/// Runs `work`, which must not hold more than `most` octets at one time.
///
/// # Panics
/// Where it did.
pub fn within(most: i64, work: impl FnOnce()) {
    let held = most_held(work);
    assert!(held <= most, "{held} octets were held at one time, and {most} are the bound");
}

fn count(octets: i64) {
    // A thread that is ending has no counter any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + octets);
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: everything is handed on to the system's allocator as it came.
#[expect(unsafe_code, reason = "an allocator is unsafe by its nature")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there for a moment.
        count(size as i64);
        count(-(layout.size() as i64));
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
