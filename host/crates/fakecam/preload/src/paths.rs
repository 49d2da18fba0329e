//! Which paths are a camera's.

use std::ffi::{CStr, c_char};
use std::sync::{Arc, OnceLock};

use hotshoe_fakecam::{Camera, Environment, cameras};

/// All cameras.
pub(crate) fn all() -> &'static [Arc<Camera>] {
    static CAMERAS: OnceLock<Vec<Arc<Camera>>> = OnceLock::new();
    // This opens no file, and so does not come back here.
    CAMERAS.get_or_init(|| cameras(Environment::of_process()))
}

/// The bytes of a path.
///
/// # Safety
///
/// `path` is null or a C string that lives as long as the result is used.
pub(crate) unsafe fn bytes<'a>(path: *const c_char) -> &'a [u8] {
    if path.is_null() {
        return b"";
    }
    // SAFETY: not null, and so a C string, says the caller.
    unsafe { CStr::from_ptr(path) }.to_bytes()
}

/// The camera that a path names.
///
/// # Safety
///
/// `path` is null or a C string.
pub(crate) unsafe fn camera(path: *const c_char) -> Option<&'static Arc<Camera>> {
    // SAFETY: as the caller says; the bytes are not kept.
    let path = unsafe { bytes(path) };
    if !path.starts_with(b"/") {
        return None;
    }
    all().iter().find(|camera| camera.is_at(path))
}

/// The text of a file in sysfs that describes a camera.
pub(crate) fn attribute(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    let rest = path.strip_prefix("/sys/class/video4linux/video").or_else(|| path.strip_prefix("/sys/dev/char/81:"))?;
    let (number, file) = rest.split_once('/')?;
    let camera = all().get(number.parse::<usize>().ok()?).filter(|camera| camera.is_present())?;
    camera.attribute(file)
}
