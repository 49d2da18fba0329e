//! go2rtc as a client: lines until one that begins with two dashes, headers, and so many bytes as they say.

use crate::http::{Input, Response, header, parse_header};

pub(crate) fn read(response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut input = Input::new(response.body);
    let mut pictures = Vec::new();
    while pictures.len() < count {
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
        pictures.push(input.exact(length)?);
    }
    Ok(pictures)
}
