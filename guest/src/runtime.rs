//! What the standard library would bring along: an allocator, an end for panics, and the function by which
//! the host gets memory for what it passes in.
#![allow(unsafe_code, reason = "an allocator in C's terms; linking a library")]

use alloc::alloc::{Layout, alloc, realloc};
use core::arch::wasm32::unreachable;
use core::ptr;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// `memcpy` and its kin, which compiled code calls, come from the C library on this target. It imports nothing.
#[link(name = "c")]
unsafe extern "C" {}

/// Ends the instance, and with it this one request. The host's log shows the functions it was in.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unreachable()
}

/// Get or grow memory for what the host passes in (Component Model, CanonicalABI.md, `realloc`).
///
/// # Safety
///
/// `old` is what an earlier call returned for `old_size` and the same `align`, or `old_size` is 0. `align` is
/// a power of two. Code that the component's types generate is the only caller, and keeps to it.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, new_size: usize) -> *mut u8 {
    if new_size == 0 {
        return ptr::without_provenance_mut(align);
    }
    let memory = if old_size == 0 {
        // SAFETY: the size is not 0, and `align` is a power of two.
        unsafe { alloc(Layout::from_size_align_unchecked(new_size, align)) }
    } else {
        // SAFETY: `old` came from here, with this layout, and the new size is not 0.
        unsafe { realloc(old, Layout::from_size_align_unchecked(old_size, align), new_size) }
    };
    if memory.is_null() {
        unreachable();
    }
    memory
}
