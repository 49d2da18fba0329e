//! All forms of `open`, and `fopen` for files in sysfs.

use std::ffi::{c_char, c_int};
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::Arc;

use hotshoe_fakecam::{Camera, Errno};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::real::{real, return_value};
use crate::{paths, table};

type Open = unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int;
type OpenStream = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut libc::FILE;

/// Opens a camera's device node, or a file in sysfs that describes it. Returns `None` for other paths.
///
/// # Safety
///
/// `path` must be null or a C string.
unsafe fn open_emulated(path: *const c_char, flags: c_int) -> Option<c_int> {
    // SAFETY: the caller guarantees it, for both.
    let (camera, path) = unsafe { (paths::camera(path), paths::bytes(path)) };
    match camera {
        Some(camera) => Some(return_value(open_device(camera, flags))),
        None => open_sysfs(path),
    }
}

fn open_device(camera: &Arc<Camera>, flags: c_int) -> Result<c_int, Errno> {
    if flags & libc::O_DIRECTORY != 0 {
        return Err(Errno::NOTDIR);
    }
    let (handle, descriptor) = camera.open(flags & libc::O_NONBLOCK != 0, flags & libc::O_CLOEXEC != 0)?;
    table::insert(descriptor.as_raw_fd(), Arc::new(handle))?;
    Ok(descriptor.into_raw_fd())
}

/// Opens a memory file with the contents of a file in sysfs.
fn open_sysfs(path: &[u8]) -> Option<c_int> {
    if !path.starts_with(b"/sys/") {
        return None;
    }
    let text = paths::attribute(path)?;
    let mut file = std::fs::File::from(memfd_create("fakecam-sysfs", MemfdFlags::CLOEXEC).ok()?);
    file.write_all(text.as_bytes()).ok()?;
    file.rewind().ok()?;
    Some(file.into_raw_fd())
}

/// # Safety
///
/// As for `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    unsafe { open_emulated(path, flags).unwrap_or_else(|| real!(c"open" as Open)(path, flags, mode)) }
}

/// # Safety
///
/// As for `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    unsafe { open_emulated(path, flags).unwrap_or_else(|| real!(c"open64" as Open)(path, flags, mode)) }
}

/// # Safety
///
/// As for `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(folder: c_int, path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    unsafe { open_emulated(path, flags).unwrap_or_else(|| real!(c"openat" as OpenAt)(folder, path, flags, mode)) }
}

/// # Safety
///
/// As for `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(folder: c_int, path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    unsafe { open_emulated(path, flags).unwrap_or_else(|| real!(c"openat64" as OpenAt)(folder, path, flags, mode)) }
}

/// The `open` of fortified programs.
///
/// # Safety
///
/// As for `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the mode is unused without O_CREAT, which fortified programs may not pass here.
    unsafe { open(path, flags, 0) }
}

/// The `open64` of fortified programs.
///
/// # Safety
///
/// As for `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { open64(path, flags, 0) }
}

/// The `openat` of fortified programs.
///
/// # Safety
///
/// As for `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __openat_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { openat(folder, path, flags, 0) }
}

/// The `openat64` of fortified programs.
///
/// # Safety
///
/// As for `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __openat64_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { openat64(folder, path, flags, 0) }
}

/// # Safety
///
/// As for `fopen(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fopen(path: *const c_char, mode: *const c_char) -> *mut libc::FILE {
    // SAFETY: the path is the caller's. The descriptor is open, and the stream takes ownership of it.
    unsafe {
        match open_sysfs(paths::bytes(path)) {
            Some(file) => libc::fdopen(file, c"r".as_ptr()),
            None => real!(c"fopen" as OpenStream)(path, mode),
        }
    }
}

/// # Safety
///
/// As for `fopen(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fopen64(path: *const c_char, mode: *const c_char) -> *mut libc::FILE {
    // SAFETY: as above.
    unsafe {
        match open_sysfs(paths::bytes(path)) {
            Some(file) => libc::fdopen(file, c"r".as_ptr()),
            None => real!(c"fopen64" as OpenStream)(path, mode),
        }
    }
}
