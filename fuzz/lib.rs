//! The targets' bodies once, for all targets.

#[path = "bodies/mod.rs"]
pub mod bodies;

/// A target of this name.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        #[global_allocator]
        static ALLOCATOR: $crate::bodies::memory::Counting = $crate::bodies::memory::Counting;

        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::bodies::run($name, data));
    };
}
