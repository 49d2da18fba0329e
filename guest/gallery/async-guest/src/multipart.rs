//! Streams of JPEG images in the format that browsers show as a moving picture.

use wit_bindgen::StreamResult;

use crate::bindings::hotshoe::camera::frames::Image;

/// The `Content-Type` of a stream.
pub const CONTENT_TYPE: &str = "multipart/x-mixed-replace; boundary=frame";
/// The beginning of a stream.
pub const OPENING: &[u8] = b"--frame\r\n";
/// The end of each part. The delimiter follows the image at once, because browsers show an image only when they have
/// read it.
pub const DELIMITER: &[u8] = b"\r\n--frame\r\n";
/// The end of a stream.
pub const CLOSING: &[u8] = b"--frame--\r\n";

/// Returns the headers of a part.
pub fn head(image: &Image) -> Vec<u8> {
    format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", image.info().length).into_bytes()
}

/// Appends a whole part. The image is copied only once.
pub async fn append(part: &mut Vec<u8>, image: &Image) {
    part.extend(head(image));
    let length = usize::try_from(image.info().length).expect("an image fits into memory");
    let end = part.len() + length;
    // A read fills the spare capacity.
    part.reserve_exact(length + DELIMITER.len());
    let mut bytes = image.bytes();
    while part.len() < end {
        let (result, read) = bytes.read(std::mem::take(part)).await;
        *part = read;
        if matches!(result, StreamResult::Dropped) {
            break;
        }
    }
    part.extend(DELIMITER);
}
