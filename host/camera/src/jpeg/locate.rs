//! Where in a buffer the image begins.

use memchr::memmem;

use super::examine::examine;
use super::{MARKER, NotJpeg, Options, SOI, Whole};

/// How many starts are tried in a buffer. Cameras send one too many, so more are no images but noise, and each costs a walk
/// through the buffer.
const STARTS: usize = 8;

/// Find the image in a driver's buffer, where [`examine`] wants it at the very beginning. Returns the bytes from its start
/// on, and what was found in them.
///
/// Some cameras (of Logitech, among others) send a few bytes of something else before the image, or begin an image,
/// break off, and begin again. So the last start is taken that yields a whole image. A start inside a segment of the
/// headers does not count: that is a thumbnail. Nor does one behind the image's end: that may be an older image.
pub fn find_image(bytes: &[u8], options: Options) -> Result<(&[u8], Whole), NotJpeg> {
    let mut found = None;
    let mut failure = None;
    let mut candidate = if bytes.starts_with(&[MARKER, SOI]) { Some(bytes) } else { next_start(bytes) };
    for _ in 0..STARTS {
        let Some(image) = candidate else { break };
        candidate = match examine(image, options) {
            Ok(whole) => {
                found = Some((image, whole));
                // Data never have such a marker (B.1.1.5).
                let data_at = whole.headers.data_at;
                let within = image.get(data_at..whole.length).and_then(|data| memmem::find(data, START));
                within.and_then(|at| image.get(data_at + at..))
            }
            Err(error) => {
                failure.get_or_insert(error);
                next_start(image)
            }
        };
    }
    found.ok_or_else(|| failure.unwrap_or(if bytes.is_empty() { NotJpeg::Empty } else { NotJpeg::NoStart }))
}

/// A start marker, and the beginning of the marker that follows.
const START: &[u8] = &[MARKER, SOI, MARKER];

/// The bytes from the next start on, behind the first byte.
fn next_start(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.get(1..)?;
    rest.get(memmem::find(rest, START)?..)
}
