//! `syscall`, which some libraries use instead of the C library's wrappers.

use std::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};

use crate::real::real;
use crate::{descriptors, device, open, stat};

/// # Safety
///
/// As for `syscall(2)`, and for the system call with this number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    type Real = unsafe extern "C" fn(c_long, ...) -> c_long;
    // SAFETY: the caller passes the arguments of the system call with this number, and each is cast to its type there.
    unsafe {
        match number {
            libc::SYS_ioctl => c_long::from(device::ioctl(a as c_int, b as c_ulong, c as *mut c_void)),
            libc::SYS_openat => {
                c_long::from(open::openat(a as c_int, b as *const c_char, c as c_int, d as libc::mode_t))
            }
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open => c_long::from(open::open(a as *const c_char, b as c_int, c as libc::mode_t)),
            libc::SYS_close => c_long::from(descriptors::close(a as c_int)),
            libc::SYS_read => device::read(a as c_int, b as *mut c_void, c as usize) as c_long,
            libc::SYS_mmap => {
                device::mmap(a as *mut c_void, b as usize, c as c_int, d as c_int, e as c_int, f) as c_long
            }
            libc::SYS_statx => c_long::from(stat::statx(
                a as c_int,
                b as *const c_char,
                c as c_int,
                d as c_uint,
                e as *mut libc::statx,
            )),
            _ => real!(c"syscall" as Real)(number, a, b, c, d, e, f),
        }
    }
}
