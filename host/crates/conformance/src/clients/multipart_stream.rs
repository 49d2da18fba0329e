//! The crate `multipart-stream`: skips line breaks, then expects the declared boundary, at most 16 headers, and as many
//! bytes as Content-Length says.

use crate::http::{BodyReader, Response, header, parse_header};
use crate::multipart::boundary;

/// The capacity of its array of headers.
const MAX_HEADERS: usize = 16;

pub(crate) fn read(response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let boundary = boundary(&response.head)?;
    // Some servers declare the boundary with its leading dashes.
    let dashes = if boundary.starts_with("--") { "" } else { "--" };
    let expected = format!("{dashes}{boundary}\r\n");
    let mut input = BodyReader::new(response.body);
    let mut images = Vec::new();
    while images.len() < count {
        while input.peek(2)? == b"\r\n" {
            input.exact(2)?;
        }
        let found = input.exact(expected.len())?;
        if found != expected.as_bytes() {
            return Err(format!("bad boundary: {:?}", String::from_utf8_lossy(&found)));
        }
        let mut headers = Vec::new();
        loop {
            let line = input.line()?;
            let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            if line.is_empty() {
                break;
            }
            headers.push(parse_header(&line)?);
        }
        if headers.len() > MAX_HEADERS {
            return Err(format!("a part has {} headers, more than {MAX_HEADERS}", headers.len()));
        }
        let length = header(&headers, "content-length").ok_or("Missing part Content-Length")?;
        let length = length.parse().map_err(|_| format!("Part Content-Length is {length:?}"))?;
        images.push(input.exact(length)?);
    }
    Ok(images)
}
