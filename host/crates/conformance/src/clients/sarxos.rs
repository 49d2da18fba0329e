//! The IP camera driver of sarxos' webcam-capture, which many Android viewers share: searches the text before FF D8 for
//! a line that starts with `Content-Length`, spelled like this, and reads as many bytes from FF D8 on. Without such a
//! line, the length is zero and the client never shows an image.

use crate::http::{BodyReader, Response};

/// How far it searches for an image, in bytes.
const MAX_SEARCH_LENGTH: usize = 100_100;

pub(crate) fn read(response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut input = BodyReader::new(response.body);
    let mut images = Vec::new();
    while images.len() < count {
        let mut before = Vec::new();
        while input.peek(2)? != [0xff, 0xd8] {
            before.push(input.byte()?);
            if before.len() > MAX_SEARCH_LENGTH {
                return Err(format!("no FF D8 within {MAX_SEARCH_LENGTH} bytes"));
            }
        }
        let text = String::from_utf8_lossy(&before);
        let line = text.lines().find(|line| line.starts_with("Content-Length"));
        let line = line.ok_or("no line before FF D8 starts with \"Content-Length\": all images are empty")?;
        let mut parts = line.split(':');
        let value = parts.nth(1).map(str::trim).unwrap_or_default();
        let length = value.parse().map_err(|_| format!("Content-Length is {value:?}"))?;
        images.push(input.exact(length)?);
    }
    Ok(images)
}
