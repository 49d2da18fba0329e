//! The paths of cameras.

use std::ffi::{CStr, c_char};
use std::sync::{Arc, OnceLock};

use hotshoe_fakecam::{Camera, Environment, cameras};

/// Returns all cameras.
pub(crate) fn all() -> &'static [Arc<Camera>] {
    static CAMERAS: OnceLock<Vec<Arc<Camera>>> = OnceLock::new();
    // Opens no files, so it does not call the interposed functions recursively.
    CAMERAS.get_or_init(|| cameras(Environment::of_process()))
}

/// Returns the bytes of a path. Empty if the path is null.
///
/// # Safety
///
/// `path` must be null or a C string that outlives the result.
pub(crate) unsafe fn bytes<'a>(path: *const c_char) -> &'a [u8] {
    if path.is_null() {
        return b"";
    }
    // SAFETY: the caller guarantees that a path that is not null is a C string.
    unsafe { CStr::from_ptr(path) }.to_bytes()
}

/// Returns the camera at a path.
///
/// # Safety
///
/// `path` must be null or a C string.
pub(crate) unsafe fn camera(path: *const c_char) -> Option<&'static Arc<Camera>> {
    // SAFETY: the caller guarantees it, and the bytes are not used after the return.
    let path = unsafe { bytes(path) };
    if !path.starts_with(b"/") {
        return None;
    }
    all().iter().find(|camera| camera.is_at(path))
}

/// Returns the contents of a file in sysfs that describes a camera.
pub(crate) fn attribute(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    let rest = path.strip_prefix("/sys/class/video4linux/video").or_else(|| path.strip_prefix("/sys/dev/char/81:"))?;
    let (number, file) = rest.split_once('/')?;
    let camera = all().get(number.parse::<usize>().ok()?).filter(|camera| camera.is_present())?;
    camera.attribute(file)
}
