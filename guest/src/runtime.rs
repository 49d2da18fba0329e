//! What the standard library would provide: an allocator, a panic handler, and the function with which the host
//! allocates memory for the values that it passes in.
#![allow(unsafe_code, reason = "an allocator with a C interface, and linking a library")]

use alloc::alloc::{Layout, alloc, realloc};
use core::arch::wasm32::unreachable;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::bindings::wasi::cli::stderr::get_stderr;

/// The longest message of a panic, in bytes. The rest is cut off.
const MAX_MESSAGE: usize = 512;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// On this target, the C library provides `memcpy` and similar functions that the compiler calls. It has no imports.
#[link(name = "c")]
unsafe extern "C" {}

/// Writes the location and the message to standard error, and traps, which ends only this instance. The host's debug
/// log has the backtrace.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    static IS_PANICKING: AtomicBool = AtomicBool::new(false);
    // A panic during this function only traps.
    if !IS_PANICKING.swap(true, Ordering::Relaxed) {
        let mut message = Message { bytes: [0; MAX_MESSAGE], length: 0 };
        // Fails if the message is too long. Its beginning is there.
        let _ = writeln!(message, "{info}");
        // Fails if the host refuses output.
        let _ = get_stderr().blocking_write_and_flush(message.bytes.get(..message.length).unwrap_or_default());
    }
    unreachable()
}

/// The message of a panic. Not allocated, because there may be no memory left.
struct Message {
    bytes: [u8; MAX_MESSAGE],
    length: usize,
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        let (length, result) =
            if text.len() > room.len() { (room.len(), Err(fmt::Error)) } else { (text.len(), Ok(())) };
        for (to, from) in room.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        self.length += length;
        result
    }
}

/// Allocates or grows memory for values that the host passes in (Component Model, CanonicalABI.md, `realloc`).
///
/// # Safety
///
/// `old` is the result of an earlier call with `old_size` and the same `align`, or `old_size` is 0. `align` is a power
/// of two. Only the canonical ABI calls this function, and it guarantees both.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, new_size: usize) -> *mut u8 {
    if new_size == 0 {
        return ptr::without_provenance_mut(align);
    }
    let memory = if old_size == 0 {
        // SAFETY: the size is not 0, and `align` is a power of two.
        unsafe { alloc(Layout::from_size_align_unchecked(new_size, align)) }
    } else {
        // SAFETY: `old` was allocated here with this layout, and the new size is not 0.
        unsafe { realloc(old, Layout::from_size_align_unchecked(old_size, align), new_size) }
    };
    if memory.is_null() {
        unreachable();
    }
    memory
}
