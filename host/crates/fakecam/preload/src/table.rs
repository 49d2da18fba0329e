//! The file descriptors of open devices.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hotshoe_fakecam::{Errno, Handle};

/// The number of file descriptors that can be devices: 0 to this number minus 1.
const MAX_DESCRIPTORS: usize = 65_536;

/// One bit for each file descriptor that is a device. For other descriptors, functions such as `close` take no lock,
/// which would be unsafe between `fork` and `exec` and when the camera itself calls them.
static IS_DEVICE: [AtomicU64; MAX_DESCRIPTORS / 64] = [const { AtomicU64::new(0) }; MAX_DESCRIPTORS / 64];

static DEVICES: Mutex<BTreeMap<c_int, Device>> = Mutex::new(BTreeMap::new());

struct Device {
    handle: Arc<Handle>,
    /// The inode of the file descriptor. If it has changed, the descriptor was closed by a direct system call and
    /// reused.
    inode: u64,
}

/// Returns the word and the bit of a file descriptor.
fn bit(descriptor: c_int) -> Option<(&'static AtomicU64, u64)> {
    let index = usize::try_from(descriptor).ok()?;
    Some((IS_DEVICE.get(index / 64)?, 1 << (index % 64)))
}

fn devices() -> MutexGuard<'static, BTreeMap<c_int, Device>> {
    DEVICES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn inode(descriptor: c_int) -> Option<u64> {
    // SAFETY: the descriptor has a bit, so it is not negative. If it is not open, the call fails.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    rustix::fs::fstat(borrowed).ok().map(|stat| stat.st_ino)
}

/// Marks a file descriptor as a device.
pub(crate) fn insert(descriptor: c_int, handle: Arc<Handle>) -> Result<(), Errno> {
    let (word, bit) = bit(descriptor).ok_or(Errno::MFILE)?;
    let inode = inode(descriptor).ok_or(Errno::BADF)?;
    let before = devices().insert(descriptor, Device { handle, inode });
    word.fetch_or(bit, Ordering::Release);
    drop(before);
    Ok(())
}

/// Marks a file descriptor as closed.
pub(crate) fn remove(descriptor: c_int) {
    let Some((word, bit)) = bit(descriptor) else { return };
    if word.load(Ordering::Acquire) & bit == 0 {
        return;
    }
    word.fetch_and(!bit, Ordering::Release);
    // Dropped after the table is unlocked.
    let before = devices().remove(&descriptor);
    drop(before);
}

/// Returns the device of a file descriptor.
pub(crate) fn get(descriptor: c_int) -> Option<Arc<Handle>> {
    let (word, bit) = bit(descriptor)?;
    if word.load(Ordering::Acquire) & bit == 0 {
        return None;
    }
    let found = devices().get(&descriptor).map(|device| (device.handle.clone(), device.inode));
    let (handle, original_inode) = found?;
    if inode(descriptor) == Some(original_inode) {
        return Some(handle);
    }
    drop(handle);
    remove(descriptor);
    None
}
