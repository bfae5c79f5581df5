//! What the C library's allocator does with freed memory.

/// Has the C library's allocator give large blocks back to the kernel when they are freed, for the
/// life of this process. Belongs at the start of `main`.
///
/// Left alone, GNU's allocator takes the freeing of a large block for a sign that more of that
/// size will be needed, and from then on keeps them in an arena for each thread
/// (docs/adr/2026-11-21-freed-memory.md). Other C libraries have no such habit.
pub fn give_back_freed_blocks() {
    #[cfg(target_env = "gnu")]
    own_pages::begin();
}

#[cfg(target_env = "gnu")]
mod own_pages {
    use std::ffi::c_int;

    /// Blocks of this many bytes and more get pages of their own. All buffers of a stream are
    /// larger; hardly anything else is.
    const FROM_BYTES: c_int = 512 * 1024;

    #[expect(
        unsafe_code,
        reason = "the C library has no safe interface for its options"
    )]
    pub(super) fn begin() {
        // SAFETY: mallopt(3) takes two integers by value and holds the allocator's lock while it
        // changes it. It refuses only sizes above half an arena, which is 32 MiB.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, FROM_BYTES);
        }
    }
}
