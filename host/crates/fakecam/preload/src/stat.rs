//! All forms of `stat`, and `access` and `realpath`.

use std::ffi::{c_char, c_int, c_uint};
use std::mem;

use hotshoe_fakecam::{Camera, Errno};

use crate::real::{fail, real};
use crate::{paths, table};

/// The major number of V4L2 devices (`VIDEO_MAJOR`).
const MAJOR: c_uint = 81;
/// A character device, readable and writable for its owner and group.
const MODE: libc::mode_t = libc::S_IFCHR | 0o660;
/// The inode number of the first camera.
const FIRST_INODE: u64 = 1000;

/// Writes a `stat` or `stat64` structure.
macro_rules! fill {
    ($out:expr, $type:ty, $camera:expr) => {{
        // SAFETY: a C structure of integers, for which all zeros are valid.
        let mut stat: $type = unsafe { mem::zeroed() };
        stat.st_mode = MODE;
        stat.st_nlink = 1;
        stat.st_ino = FIRST_INODE + $camera.index() as u64;
        stat.st_dev = 5;
        stat.st_blksize = 4096;
        stat.st_rdev = libc::makedev(MAJOR, $camera.index() as c_uint);
        // SAFETY: the caller of the interposed function passes a valid pointer.
        unsafe { $out.write(stat) };
        0
    }};
}

macro_rules! stat_of_path {
    ($($name:ident $literal:literal $type:ty,)*) => { $(
        /// # Safety
        ///
        /// As for `stat(2)`.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(path: *const c_char, out: *mut $type) -> c_int {
            // SAFETY: the caller's path.
            match unsafe { paths::camera(path) } {
                Some(camera) if !camera.is_present() => fail(Errno::NOENT),
                Some(camera) => fill!(out, $type, camera),
                // SAFETY: the caller's arguments are passed on.
                None => unsafe { real!($literal as unsafe extern "C" fn(*const c_char, *mut $type) -> c_int)(path, out) },
            }
        }
    )* };
}
stat_of_path! {
    stat c"stat" libc::stat,
    lstat c"lstat" libc::stat,
    stat64 c"stat64" libc::stat64,
    lstat64 c"lstat64" libc::stat64,
}

macro_rules! stat_of_descriptor {
    ($($name:ident $literal:literal $type:ty,)*) => { $(
        /// # Safety
        ///
        /// As for `fstat(2)`.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(descriptor: c_int, out: *mut $type) -> c_int {
            match table::get(descriptor) {
                Some(device) => fill!(out, $type, device.camera()),
                // SAFETY: the caller's arguments are passed on.
                None => unsafe { real!($literal as unsafe extern "C" fn(c_int, *mut $type) -> c_int)(descriptor, out) },
            }
        }
    )* };
}
stat_of_descriptor! {
    fstat c"fstat" libc::stat,
    fstat64 c"fstat64" libc::stat64,
}

macro_rules! stat_at {
    ($($name:ident $literal:literal $type:ty, $of_path:ident $of_descriptor:ident,)*) => { $(
        /// # Safety
        ///
        /// As for `fstatat(2)`.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(folder: c_int, path: *const c_char, out: *mut $type, flags: c_int) -> c_int {
            type Real = unsafe extern "C" fn(c_int, *const c_char, *mut $type, c_int) -> c_int;
            // SAFETY: the caller's arguments are passed on.
            unsafe {
                if flags & libc::AT_EMPTY_PATH != 0 && paths::bytes(path).is_empty() {
                    $of_descriptor(folder, out)
                } else if paths::camera(path).is_some() {
                    $of_path(path, out)
                } else {
                    real!($literal as Real)(folder, path, out, flags)
                }
            }
        }
    )* };
}
stat_at! {
    fstatat c"fstatat" libc::stat, stat fstat,
    fstatat64 c"fstatat64" libc::stat64, stat64 fstat64,
}

/// # Safety
///
/// As for `statx(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn statx(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mask: c_uint,
    out: *mut libc::statx,
) -> c_int {
    type Real = unsafe extern "C" fn(c_int, *const c_char, c_int, c_uint, *mut libc::statx) -> c_int;
    // SAFETY: the caller's path.
    let (camera, is_empty) = unsafe { (paths::camera(path), paths::bytes(path).is_empty()) };
    let device = if flags & libc::AT_EMPTY_PATH != 0 && is_empty { table::get(folder) } else { None };
    match (camera, &device) {
        (_, Some(device)) => write_statx(out, device.camera()),
        (Some(camera), None) if !camera.is_present() => return fail(Errno::NOENT),
        (Some(camera), None) => write_statx(out, camera),
        // SAFETY: the caller's arguments are passed on.
        (None, None) => return unsafe { real!(c"statx" as Real)(folder, path, flags, mask, out) },
    }
    0
}

fn write_statx(out: *mut libc::statx, camera: &Camera) {
    let index = camera.index() as u32;
    // SAFETY: a C structure of integers, for which all zeros are valid.
    let mut stat: libc::statx = unsafe { mem::zeroed() };
    stat.stx_mask = libc::STATX_BASIC_STATS;
    stat.stx_blksize = 4096;
    stat.stx_nlink = 1;
    stat.stx_mode = MODE as u16;
    stat.stx_ino = FIRST_INODE + u64::from(index);
    stat.stx_rdev_major = MAJOR;
    stat.stx_rdev_minor = index;
    stat.stx_dev_minor = 5;
    // SAFETY: the caller of the interposed function passes a valid pointer.
    unsafe { out.write(stat) };
}

/// # Safety
///
/// As for `access(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn access(path: *const c_char, mode: c_int) -> c_int {
    // SAFETY: the caller's arguments are passed on.
    match unsafe { paths::camera(path) } {
        Some(camera) if camera.is_present() => 0,
        Some(_) => fail(Errno::NOENT),
        // SAFETY: as above.
        None => unsafe { real!(c"access" as unsafe extern "C" fn(*const c_char, c_int) -> c_int)(path, mode) },
    }
}

/// # Safety
///
/// As for `faccessat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn faccessat(folder: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int {
    type Real = unsafe extern "C" fn(c_int, *const c_char, c_int, c_int) -> c_int;
    // SAFETY: the caller's arguments are passed on.
    unsafe {
        if paths::camera(path).is_some() {
            access(path, mode)
        } else {
            real!(c"faccessat" as Real)(folder, path, mode, flags)
        }
    }
}

/// # Safety
///
/// As for `realpath(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realpath(path: *const c_char, out: *mut c_char) -> *mut c_char {
    type Real = unsafe extern "C" fn(*const c_char, *mut c_char) -> *mut c_char;
    // SAFETY: the caller's arguments are passed on. `out` has PATH_MAX bytes, more than a camera's path.
    unsafe {
        match paths::camera(path) {
            None => real!(c"realpath" as Real)(path, out),
            Some(camera) if !camera.is_present() => {
                fail(Errno::NOENT);
                std::ptr::null_mut()
            }
            Some(_) if out.is_null() => libc::strdup(path),
            Some(_) => libc::strcpy(out, path),
        }
    }
}
