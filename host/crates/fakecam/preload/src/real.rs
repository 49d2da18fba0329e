//! The original functions of the C library.

use std::ffi::{CStr, c_int, c_void};

use hotshoe_fakecam::Errno;

/// Looks up the next definition of a function after the one in this library, normally the C library's. Must be used in
/// an unsafe block: `$type` must match the function's C type.
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

/// Looks up a function in the libraries after this one. Aborts the process if there is none.
pub(crate) fn next(name: &CStr) -> *mut c_void {
    // SAFETY: the name is a C string, which is all that RTLD_NEXT requires.
    let address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    if address.is_null() {
        std::process::abort();
    }
    address
}

/// Sets `errno` and returns -1, like a C function that fails.
pub(crate) fn fail(error: Errno) -> c_int {
    set_errno(error.raw_os_error());
    -1
}

/// Converts a result into the return value of a C function.
pub(crate) fn return_value(result: Result<c_int, Errno>) -> c_int {
    result.unwrap_or_else(fail)
}

pub(crate) fn errno() -> c_int {
    // SAFETY: the address of this thread's `errno` is valid while the thread runs.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set_errno(error: c_int) {
    // SAFETY: as above. No other thread accesses it.
    unsafe { *libc::__errno_location() = error }
}
