//! Directory streams of `/dev` and `/sys/class/video4linux`, to which the cameras are added.

use std::ffi::{c_char, c_int};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::paths;
use crate::real::{errno, real, set_errno};

type Open = unsafe extern "C" fn(*const c_char) -> *mut libc::DIR;
type Close = unsafe extern "C" fn(*mut libc::DIR) -> c_int;
type Read = unsafe extern "C" fn(*mut libc::DIR) -> *mut libc::dirent64;

/// A directory stream to which cameras are added.
struct Listing {
    /// The address of the C library's `DIR`.
    id: usize,
    /// The index of the next camera.
    next: usize,
    /// Whether to omit the real entries.
    has_only_cameras: bool,
    /// The entry returned last.
    entry: Box<libc::dirent64>,
}

static LISTINGS: Mutex<Vec<Listing>> = Mutex::new(Vec::new());
/// The number of listings. While it is 0, no lock is taken.
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn listings() -> MutexGuard<'static, Vec<Listing>> {
    LISTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Safety
///
/// As for `opendir(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opendir(path: *const c_char) -> *mut libc::DIR {
    // SAFETY: the caller's path.
    let name = unsafe { paths::bytes(path) };
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let has_only_cameras = name == b"/sys/class/video4linux";
    if !(has_only_cameras || name == b"/dev") || paths::all().is_empty() {
        // SAFETY: the caller's argument is passed on.
        return unsafe { real!(c"opendir" as Open)(path) };
    }
    // SAFETY: the caller's path, or a constant one.
    let listing = unsafe { real!(c"opendir" as Open)(if has_only_cameras { c"/".as_ptr() } else { path }) };
    if !listing.is_null() {
        // SAFETY: a C structure of integers, for which all zeros are valid.
        let entry = Box::new(unsafe { mem::zeroed::<libc::dirent64>() });
        listings().push(Listing { id: listing as usize, next: 0, has_only_cameras, entry });
        COUNT.fetch_add(1, Ordering::Release);
    }
    listing
}

/// # Safety
///
/// As for `closedir(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn closedir(listing: *mut libc::DIR) -> c_int {
    if COUNT.load(Ordering::Acquire) > 0 {
        let mut listings = listings();
        let before = listings.len();
        listings.retain(|other| other.id != listing as usize);
        COUNT.fetch_sub(before - listings.len(), Ordering::Release);
    }
    // SAFETY: the caller's argument is passed on.
    unsafe { real!(c"closedir" as Close)(listing) }
}

/// Returns the next entry of a directory stream.
///
/// # Safety
///
/// `listing` must be open, and `real` must be the C library's `readdir`.
unsafe fn next(listing: *mut libc::DIR, real: Read) -> *mut libc::dirent64 {
    let before = errno();
    let mut listings = if COUNT.load(Ordering::Acquire) > 0 { Some(listings()) } else { None };
    let emulated = listings.as_mut().and_then(|all| all.iter_mut().find(|other| other.id == listing as usize));
    let Some(emulated) = emulated else {
        drop(listings);
        set_errno(before);
        // SAFETY: the caller guarantees it.
        return unsafe { real(listing) };
    };
    if !emulated.has_only_cameras {
        loop {
            set_errno(before);
            // SAFETY: the caller guarantees it. An entry that is not null is valid until the next call, and its name is
            // a C string.
            let (entry, is_video) = unsafe {
                let entry = real(listing);
                (entry, !entry.is_null() && paths::bytes((&raw const (*entry).d_name).cast()).starts_with(b"video"))
            };
            if entry.is_null() {
                break;
            }
            // The emulated cameras replace those of the machine.
            if !is_video {
                return entry;
            }
        }
    }
    while let Some(camera) = paths::all().get(emulated.next) {
        emulated.next += 1;
        if camera.is_present() {
            let name = format!("video{}", camera.index());
            emulated.entry.d_ino = 1000 + camera.index() as u64;
            emulated.entry.d_reclen = size_of::<libc::dirent64>() as u16;
            emulated.entry.d_type = libc::DT_CHR;
            emulated.entry.d_name.fill(0);
            for (char, byte) in emulated.entry.d_name.iter_mut().zip(name.bytes()) {
                *char = byte as c_char;
            }
            set_errno(before);
            return &raw mut *emulated.entry;
        }
    }
    set_errno(before);
    std::ptr::null_mut()
}

/// # Safety
///
/// As for `readdir(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn readdir64(listing: *mut libc::DIR) -> *mut libc::dirent64 {
    // SAFETY: the caller's listing is open.
    unsafe { next(listing, real!(c"readdir64" as Read)) }
}

/// # Safety
///
/// As for `readdir(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn readdir(listing: *mut libc::DIR) -> *mut libc::dirent {
    // SAFETY: the caller's listing is open. `dirent` and `dirent64` are identical on 64-bit machines.
    unsafe { next(listing, real!(c"readdir" as Read)).cast() }
}
