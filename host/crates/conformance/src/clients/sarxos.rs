//! The IP camera driver of sarxos' webcam-capture, and the many Android viewers with the same origin: the text before
//! FF D8 is searched for a line that starts with `Content-Length`, so written, and that many bytes from there are
//! the picture. Without such a line the length is zero and no picture ever comes.

use crate::http::{Input, Response};

/// As far as it looks for a picture.
const FARTHEST: usize = 100_100;

pub(crate) fn read(response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut input = Input::new(response.body);
    let mut pictures = Vec::new();
    while pictures.len() < count {
        let mut before = Vec::new();
        while input.peek(2)? != [0xff, 0xd8] {
            before.push(input.byte()?);
            if before.len() > FARTHEST {
                return Err(format!("no FF D8 within {FARTHEST} bytes"));
            }
        }
        let text = String::from_utf8_lossy(&before);
        let line = text.lines().find(|line| line.starts_with("Content-Length"));
        let line = line.ok_or("no line starts with \"Content-Length\" before FF D8: pictures have no bytes")?;
        let mut parts = line.split(':');
        let value = parts.nth(1).map(str::trim).unwrap_or_default();
        let length = value.parse().map_err(|_| format!("Content-Length is {value:?}"))?;
        pictures.push(input.exact(length)?);
    }
    Ok(pictures)
}
