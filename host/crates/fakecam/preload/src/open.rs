//! Opening: `open` in all its forms, and `fopen` for files of sysfs.

use std::ffi::{c_char, c_int};
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::Arc;

use hotshoe_fakecam::{Camera, Errno};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::real::{real, status};
use crate::{paths, table};

type Open = unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int;
type OpenStream = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut libc::FILE;

/// Opens a camera's node, or a file of sysfs that describes it. `None` for every other path.
///
/// # Safety
///
/// `path` is null or a C string.
unsafe fn ours(path: *const c_char, flags: c_int) -> Option<c_int> {
    // SAFETY: as the caller says, for both.
    let (camera, path) = unsafe { (paths::camera(path), paths::bytes(path)) };
    match camera {
        Some(camera) => Some(status(device(camera, flags))),
        None => sysfs(path),
    }
}

fn device(camera: &Arc<Camera>, flags: c_int) -> Result<c_int, Errno> {
    if flags & libc::O_DIRECTORY != 0 {
        return Err(Errno::NOTDIR);
    }
    let (handle, program) = camera.open(flags & libc::O_NONBLOCK != 0, flags & libc::O_CLOEXEC != 0)?;
    table::insert(program.as_raw_fd(), Arc::new(handle))?;
    Ok(program.into_raw_fd())
}

/// A descriptor with the text of a file of sysfs.
fn sysfs(path: &[u8]) -> Option<c_int> {
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
    unsafe { ours(path, flags).unwrap_or_else(|| real!(c"open" as Open)(path, flags, mode)) }
}

/// # Safety
///
/// As for `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    unsafe { ours(path, flags).unwrap_or_else(|| real!(c"open64" as Open)(path, flags, mode)) }
}

/// # Safety
///
/// As for `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(folder: c_int, path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    unsafe { ours(path, flags).unwrap_or_else(|| real!(c"openat" as OpenAt)(folder, path, flags, mode)) }
}

/// # Safety
///
/// As for `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(folder: c_int, path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    unsafe { ours(path, flags).unwrap_or_else(|| real!(c"openat64" as OpenAt)(folder, path, flags, mode)) }
}

/// `open` as fortified programs call it.
///
/// # Safety
///
/// As for `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: without O_CREAT, which is not allowed here, the mode is not looked at.
    unsafe { open(path, flags, 0) }
}

/// `open64` as fortified programs call it.
///
/// # Safety
///
/// As for `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { open64(path, flags, 0) }
}

/// `openat` as fortified programs call it.
///
/// # Safety
///
/// As for `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __openat_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { openat(folder, path, flags, 0) }
}

/// `openat64` as fortified programs call it.
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
    // SAFETY: the caller's path; the descriptor is open and belongs to the stream from then on.
    unsafe {
        match sysfs(paths::bytes(path)) {
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
        match sysfs(paths::bytes(path)) {
            Some(file) => libc::fdopen(file, c"r".as_ptr()),
            None => real!(c"fopen64" as OpenStream)(path, mode),
        }
    }
}
