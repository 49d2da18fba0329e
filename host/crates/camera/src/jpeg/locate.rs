//! Where in a buffer the image begins.

use memchr::memmem;

use super::validate::validate;
use super::{ImageInfo, JpegError, MARKER, Options, SOI};

/// How many starts are tried in a buffer. Cameras send one too many, so more are no images but noise, and each costs a walk
/// through the buffer.
const STARTS: usize = 8;

/// Find the image in a driver's buffer, where [`validate`] wants it at the very beginning. Returns the bytes from its start
/// on, and what was found in them.
///
/// Some cameras (of Logitech, among others) send a few bytes of something else before the image, or begin an image,
/// break off, and begin again. So the last start is taken that yields a whole image. A start inside a segment of the
/// headers does not count: that is a thumbnail. Nor does one behind the image's end: that may be an older image.
pub fn find_image(bytes: &[u8], options: Options) -> Result<(&[u8], ImageInfo), JpegError> {
    let mut tries = STARTS;
    let mut found = find_first(bytes, options, &mut tries)?;
    while let Some(restart) = restart(&found)
        && let Ok(later) = find_first(restart, options, &mut tries)
        // Its distance from the start, since both go to the end of the buffer.
        && found.0.len() - later.0.len() < found.1.length
    {
        found = later;
    }
    Ok(found)
}

/// Whether there is an image for [`find_image`] to find, at the cost of finding its end.
pub fn check_image(bytes: &[u8], options: Options) -> Result<(), JpegError> {
    find_first(bytes, options, &mut { STARTS }).map(drop)
}

/// Find the first start that yields a whole image.
fn find_first<'a>(bytes: &'a [u8], options: Options, tries: &mut usize) -> Result<(&'a [u8], ImageInfo), JpegError> {
    let mut reason = if bytes.is_empty() { JpegError::Empty } else { JpegError::MissingSoi };
    let mut start = if bytes.starts_with(&[MARKER, SOI]) { Some(bytes) } else { next_start(bytes) };
    let mut is_first = true;
    while let Some(image) = start
        && let Some(left) = tries.checked_sub(1)
    {
        *tries = left;
        match validate(image, options) {
            Ok(whole) => return Ok((image, whole)),
            Err(error) if is_first => reason = error,
            Err(_) => {}
        }
        is_first = false;
        start = next_start(image);
    }
    Err(reason)
}

/// The bytes from a start marker on that is within the data of an image. Data never have one (B.1.1.5).
fn restart<'a>((image, whole): &(&'a [u8], ImageInfo)) -> Option<&'a [u8]> {
    let data_at = whole.headers.data_at;
    let at = memmem::find(image.get(data_at..whole.length)?, START)?;
    image.get(data_at + at..)
}

/// A start marker, and the beginning of the marker that follows.
const START: &[u8] = &[MARKER, SOI, MARKER];

/// The bytes from the next start on, behind the first byte.
fn next_start(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.get(1..)?;
    rest.get(memmem::find(rest, START)?..)
}
