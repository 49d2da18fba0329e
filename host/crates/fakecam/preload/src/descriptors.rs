//! Functions that close or duplicate file descriptors.

use std::ffi::{c_int, c_void};

use crate::real::real;
use crate::table;

type Fcntl = unsafe extern "C" fn(c_int, c_int, ...) -> c_int;

/// # Safety
///
/// As for `close(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(descriptor: c_int) -> c_int {
    table::remove(descriptor);
    // SAFETY: the caller's argument is passed on.
    unsafe { real!(c"close" as unsafe extern "C" fn(c_int) -> c_int)(descriptor) }
}

/// Registers `new` as a duplicate of `old`, unless it is negative.
fn duplicate(old: c_int, new: c_int) -> c_int {
    if new >= 0
        && let Some(handle) = table::get(old)
    {
        // A descriptor beyond the table works for functions of the kernel, such as `poll`, but not for ioctls.
        let _ = table::insert(new, handle);
    }
    new
}

/// # Safety
///
/// As for `dup(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup(old: c_int) -> c_int {
    // SAFETY: the caller's argument is passed on.
    duplicate(old, unsafe { real!(c"dup" as unsafe extern "C" fn(c_int) -> c_int)(old) })
}

/// # Safety
///
/// As for `dup3(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int {
    if old != new {
        table::remove(new);
    }
    // SAFETY: the caller's arguments are passed on.
    duplicate(old, unsafe { real!(c"dup3" as unsafe extern "C" fn(c_int, c_int, c_int) -> c_int)(old, new, flags) })
}

/// # Safety
///
/// As for `dup2(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup2(old: c_int, new: c_int) -> c_int {
    // SAFETY: the caller's arguments are passed on. `dup2` differs from `dup3` only if both descriptors are equal.
    unsafe { if old == new { new } else { dup3(old, new, 0) } }
}

/// # Safety
///
/// As for `fcntl(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl(descriptor: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    let result = unsafe { real!(c"fcntl" as Fcntl)(descriptor, command, argument) };
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) { duplicate(descriptor, result) } else { result }
}

/// # Safety
///
/// As for `fcntl(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl64(descriptor: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: both functions are identical on 64-bit machines.
    unsafe { fcntl(descriptor, command, argument) }
}
