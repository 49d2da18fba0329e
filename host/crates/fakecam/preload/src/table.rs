//! The descriptors that are open devices.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hotshoe_fakecam::{Errno, Handle};

/// Descriptors from here on cannot be devices.
const MAX_DESCRIPTORS: usize = 65_536;

/// A bit for each descriptor that is a device. Nothing else is looked at for all others, so that functions such as
/// `close` take no lock: neither between `fork` and `exec`, nor when the camera itself calls them.
static IS_DEVICE: [AtomicU64; MAX_DESCRIPTORS / 64] = [const { AtomicU64::new(0) }; MAX_DESCRIPTORS / 64];

static DEVICES: Mutex<BTreeMap<c_int, Device>> = Mutex::new(BTreeMap::new());

struct Device {
    handle: Arc<Handle>,
    /// Of the descriptor when it was opened. Another one tells that it was closed by a direct system call.
    inode: u64,
}

/// The word and the bit of a descriptor.
fn bit(descriptor: c_int) -> Option<(&'static AtomicU64, u64)> {
    let index = usize::try_from(descriptor).ok()?;
    Some((IS_DEVICE.get(index / 64)?, 1 << (index % 64)))
}

fn devices() -> MutexGuard<'static, BTreeMap<c_int, Device>> {
    DEVICES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn inode(descriptor: c_int) -> Option<u64> {
    // SAFETY: the descriptor is not negative, as its bit is set. If it is not open, the call fails.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    rustix::fs::fstat(borrowed).ok().map(|stat| stat.st_ino)
}

/// A descriptor is a device from now on.
pub(crate) fn insert(descriptor: c_int, handle: Arc<Handle>) -> Result<(), Errno> {
    let (word, bit) = bit(descriptor).ok_or(Errno::MFILE)?;
    let inode = inode(descriptor).ok_or(Errno::BADF)?;
    let before = devices().insert(descriptor, Device { handle, inode });
    word.fetch_or(bit, Ordering::Release);
    drop(before);
    Ok(())
}

/// A descriptor is no device any more.
pub(crate) fn remove(descriptor: c_int) {
    let Some((word, bit)) = bit(descriptor) else { return };
    if word.load(Ordering::Acquire) & bit == 0 {
        return;
    }
    word.fetch_and(!bit, Ordering::Release);
    // Dropped when the table is free again.
    let before = devices().remove(&descriptor);
    drop(before);
}

/// The device that a descriptor is.
pub(crate) fn get(descriptor: c_int) -> Option<Arc<Handle>> {
    let (word, bit) = bit(descriptor)?;
    if word.load(Ordering::Acquire) & bit == 0 {
        return None;
    }
    let found = devices().get(&descriptor).map(|device| (device.handle.clone(), device.inode));
    let (handle, at_opening) = found?;
    if inode(descriptor) == Some(at_opening) {
        return Some(handle);
    }
    drop(handle);
    remove(descriptor);
    None
}
