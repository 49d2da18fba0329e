//! Finds the image in a driver's buffer.

use memchr::memmem;

use super::error::JpegError;
use super::markers::{MARKER, SOI};
use super::validate::{ImageInfo, Options, validate};

/// The most start markers tried in a buffer. Cameras send one too many; more than a few are noise, and each try walks
/// the whole buffer.
const MAX_STARTS: usize = 8;

/// A start-of-image marker and the first byte of the marker that follows.
pub const START_OF_IMAGE: &[u8] = &[MARKER, SOI, MARKER];

/// What [`find_first`] found in a driver's buffer.
#[derive(Clone, Debug)]
pub struct FoundImage {
    /// Where the image starts, in bytes.
    start: usize,
    info: ImageInfo,
    tries_left: usize,
}

/// Finds the image in a driver's buffer. Returns the bytes from the start of the image to the end of the buffer, and
/// what [`validate`] found there.
///
/// Some cameras (Logitech's among them) send a few stray bytes before the image, or start an image, stop, and start
/// again. Therefore the last start that yields a complete image wins. A start inside a header segment is a thumbnail
/// and is ignored, and so is a start after the end of the image, which may be a leftover from an older image.
///
/// # Errors
///
/// What is wrong with the image at the first start, if no start yields a complete image.
pub fn find_image(bytes: &[u8], options: Options) -> Result<(&[u8], ImageInfo), JpegError> {
    Ok(find_last(bytes, options, find_first(bytes, options)?))
}

/// Does the first half of [`find_image`]: finds the first start that yields a complete image. [`find_last`] does the
/// other half. Costs only a search for the end of the image.
pub fn find_first(bytes: &[u8], options: Options) -> Result<FoundImage, JpegError> {
    let mut tries_left = MAX_STARTS;
    let (image, info) = next_complete(bytes, options, &mut tries_left)?;
    Ok(FoundImage { start: bytes.len() - image.len(), info, tries_left })
}

/// Finds the last start in the same bytes that yields a complete image. Returns the same as [`find_image`].
pub fn find_last(bytes: &[u8], options: Options, first: FoundImage) -> (&[u8], ImageInfo) {
    let FoundImage { start, info, mut tries_left } = first;
    let mut found = (bytes.get(start..).unwrap_or_default(), info);
    while let Some(restart) = start_in_data(&found)
        && let Ok(later) = next_complete(restart, options, &mut tries_left)
        // Both slices end with the buffer, so this difference is the distance between the two starts.
        && found.0.len() - later.0.len() < found.1.length
    {
        found = later;
    }
    found
}

/// Finds the first start that yields a complete image.
fn next_complete<'a>(
    bytes: &'a [u8],
    options: Options,
    tries_left: &mut usize,
) -> Result<(&'a [u8], ImageInfo), JpegError> {
    let mut first_error = None;
    let mut start = if bytes.starts_with(&[MARKER, SOI]) { Some(bytes) } else { next_start(bytes) };
    while let Some(image) = start
        && let Some(left) = tries_left.checked_sub(1)
    {
        *tries_left = left;
        match validate(image, options) {
            Ok(info) => return Ok((image, info)),
            Err(error) => first_error = first_error.or(Some(error)),
        }
        start = next_start(image);
    }
    Err(first_error.unwrap_or(if bytes.is_empty() { JpegError::Empty } else { JpegError::MissingSoi }))
}

/// Returns the bytes from the first start marker inside the image's entropy-coded data, which must not contain one
/// (B.1.1.5).
fn start_in_data<'a>((image, info): &(&'a [u8], ImageInfo)) -> Option<&'a [u8]> {
    let data_offset = info.headers.data_offset;
    let offset = memmem::find(image.get(data_offset..info.length)?, START_OF_IMAGE)?;
    image.get(data_offset + offset..)
}

/// Returns the bytes from the next start marker after the first byte.
fn next_start(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.get(1..)?;
    rest.get(memmem::find(rest, START_OF_IMAGE)?..)
}
