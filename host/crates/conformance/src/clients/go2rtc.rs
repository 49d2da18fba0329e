//! go2rtc: skips empty lines up to one that starts with two dashes, then reads headers and as many bytes as
//! Content-Length says.

use crate::http::{BodyReader, Response, header, parse_header};

pub(crate) fn read(response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut input = BodyReader::new(response.body);
    let mut images = Vec::new();
    while images.len() < count {
        loop {
            let line = input.line()?;
            if line == b"\r\n" {
                continue;
            }
            if !line.starts_with(b"--") {
                return Err(format!("multipart: wrong boundary: {:?}", String::from_utf8_lossy(&line)));
            }
            // Some cameras send the boundary twice.
            if input.peek(2)? != b"--" {
                break;
            }
        }
        let mut headers = Vec::new();
        loop {
            let line = input.line()?;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            headers.push(parse_header(&line)?);
        }
        let length = header(&headers, "content-length").ok_or("multipart: no content length")?;
        let length = length.parse().map_err(|_| format!("Content-Length is {length:?}"))?;
        images.push(input.exact(length)?);
    }
    Ok(images)
}
