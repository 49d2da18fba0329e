//! The C library's own functions, which the interposed ones stand before.

use std::ffi::{CStr, c_int, c_void};

use hotshoe_fakecam::Errno;

/// The next definition of a function after ours, normally the C library's. Only for unsafe blocks: `$type` must be the
/// function's type in C.
macro_rules! real {
    ($name:literal as $type:ty) => {{
        static ADDRESS: std::sync::atomic::AtomicPtr<std::ffi::c_void> =
            std::sync::atomic::AtomicPtr::new(std::ptr::null_mut());
        let mut address = ADDRESS.load(std::sync::atomic::Ordering::Relaxed);
        if address.is_null() {
            address = $crate::real::next($name);
            ADDRESS.store(address, std::sync::atomic::Ordering::Relaxed);
        }
        std::mem::transmute::<*mut std::ffi::c_void, $type>(address)
    }};
}
pub(crate) use real;

/// Looks a function up behind this library. Ends the process if there is none, because there is nothing to call.
pub(crate) fn next(name: &CStr) -> *mut c_void {
    // SAFETY: the name is a C string, and RTLD_NEXT needs nothing else.
    let address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    if address.is_null() {
        std::process::abort();
    }
    address
}

/// What a C function returns that failed.
pub(crate) fn fail(error: Errno) -> c_int {
    set_errno(error.raw_os_error());
    -1
}

/// Turns a result into what a C function returns.
pub(crate) fn status(result: Result<c_int, Errno>) -> c_int {
    result.unwrap_or_else(fail)
}

pub(crate) fn errno() -> c_int {
    // SAFETY: the address of this thread's `errno` is valid for as long as the thread runs.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set_errno(error: c_int) {
    // SAFETY: as above; no other thread uses it.
    unsafe { *libc::__errno_location() = error }
}
