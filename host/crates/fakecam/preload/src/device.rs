//! Functions for open devices: `ioctl`, `mmap`, `read` and `poll`.

use std::ffi::{c_int, c_ulong, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::slice;

use hotshoe_fakecam::{Errno, Handle, argument_length};
use rustix::fs::OFlags;

use crate::real::{errno, fail, real, set_errno};
use crate::table;

type Ioctl = unsafe extern "C" fn(c_int, c_ulong, ...) -> c_int;
type Map = unsafe extern "C" fn(*mut c_void, usize, c_int, c_int, c_int, libc::off_t) -> *mut c_void;
type Read = unsafe extern "C" fn(c_int, *mut c_void, usize) -> isize;
type Poll = unsafe extern "C" fn(*mut libc::pollfd, libc::nfds_t, c_int) -> c_int;

/// # Safety
///
/// As for `ioctl(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(descriptor: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    let device = table::get(descriptor);
    // The kernel implements these for all file descriptors.
    let is_generic = matches!(request, libc::FIONBIO | libc::FIOCLEX | libc::FIONCLEX);
    let Some(device) = device.filter(|_| !is_generic) else {
        // SAFETY: the caller's arguments are passed on.
        return unsafe { real!(c"ioctl" as Ioctl)(descriptor, request, argument) };
    };
    // The kernel uses only the lower 32 bits.
    let code = request as u32;
    if code >> 8 & 0xFF != u32::from(b'V') {
        return fail(Errno::NOTTY);
    }
    // SAFETY: a pointer that is not null refers to the structure for this request code, whose length the code contains.
    // Nothing else accesses the structure until the call returns.
    let argument = (!argument.is_null())
        .then(|| unsafe { slice::from_raw_parts_mut(argument.cast::<u8>(), argument_length(code)) });
    let before = errno();
    match device.ioctl(code, argument, is_nonblocking(descriptor)) {
        Ok(()) => {
            set_errno(before);
            0
        }
        Err(error) => fail(error),
    }
}

fn is_nonblocking(descriptor: c_int) -> bool {
    // SAFETY: the descriptor is a device, so it is not negative. If it is not open, the call fails.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    rustix::fs::fcntl_getfl(borrowed).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK))
}

/// # Safety
///
/// As for `mmap(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap(
    address: *mut c_void,
    length: usize,
    protection: c_int,
    flags: c_int,
    descriptor: c_int,
    offset: libc::off_t,
) -> *mut c_void {
    let device = if flags & libc::MAP_ANONYMOUS == 0 { table::get(descriptor) } else { None };
    let Some(device) = device else {
        // SAFETY: the caller's arguments are passed on.
        return unsafe { real!(c"mmap" as Map)(address, length, protection, flags, descriptor, offset) };
    };
    match device.memory(offset.cast_unsigned(), length) {
        // SAFETY: the caller's arguments are passed on, except the descriptor, which is an open file of sufficient
        // length.
        Ok(memory) => unsafe { real!(c"mmap" as Map)(address, length, protection, flags, memory.as_raw_fd(), offset) },
        Err(error) => {
            fail(error);
            libc::MAP_FAILED
        }
    }
}

/// # Safety
///
/// As for `mmap(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap64(
    address: *mut c_void,
    length: usize,
    protection: c_int,
    flags: c_int,
    descriptor: c_int,
    offset: libc::off64_t,
) -> *mut c_void {
    // SAFETY: both functions are identical on 64-bit machines.
    unsafe { mmap(address, length, protection, flags, descriptor, offset) }
}

/// Fails for devices, because UVC cameras do not support `read`.
///
/// # Safety
///
/// As for `read(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(descriptor: c_int, buffer: *mut c_void, length: usize) -> isize {
    match table::get(descriptor) {
        Some(device) => fail(if device.is_unplugged() { Errno::NODEV } else { Errno::INVAL }) as isize,
        // SAFETY: the caller's arguments are passed on.
        None => unsafe { real!(c"read" as Read)(descriptor, buffer, length) },
    }
}

/// Reports POLLERR at once for a device that is not streaming, like the kernel.
///
/// # Safety
///
/// As for `poll(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn poll(entries: *mut libc::pollfd, count: libc::nfds_t, timeout: c_int) -> c_int {
    let is_idle =
        |entry: &libc::pollfd| table::get(entry.fd).is_some_and(|device: std::sync::Arc<Handle>| device.is_idle());
    let idle: Vec<bool> = if entries.is_null() {
        Vec::new()
    } else {
        // SAFETY: a pointer that is not null refers to `count` entries.
        unsafe { slice::from_raw_parts(entries, count as usize) }.iter().map(is_idle).collect()
    };
    let any_idle = idle.contains(&true);
    // SAFETY: the caller's arguments are passed on, except the timeout.
    let mut ready = unsafe { real!(c"poll" as Poll)(entries, count, if any_idle { 0 } else { timeout }) };
    if any_idle && ready >= 0 {
        // SAFETY: as above. Nothing else accesses the entries until the call returns.
        let entries = unsafe { slice::from_raw_parts_mut(entries, count as usize) };
        for (entry, _) in entries.iter_mut().zip(idle).filter(|(_, is_idle)| *is_idle) {
            ready += c_int::from(entry.revents == 0);
            entry.revents |= libc::POLLERR;
        }
    }
    ready
}

/// The `poll` of fortified programs.
///
/// # Safety
///
/// As for `poll(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __poll_chk(
    entries: *mut libc::pollfd,
    count: libc::nfds_t,
    timeout: c_int,
    _size: usize,
) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    unsafe { poll(entries, count, timeout) }
}
