//! The crate `multipart-stream`: line breaks, the boundary that was told, at most sixteen headers, so many bytes.

use crate::http::{Input, Response, header, parse_header};
use crate::multipart::boundary;

/// As many as it has room for.
const MOST_HEADERS: usize = 16;

pub(crate) fn read(response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let boundary = boundary(&response.head)?;
    // Servers that tell the dashes as part of the boundary are understood.
    let dashes = if boundary.starts_with("--") { "" } else { "--" };
    let expected = format!("{dashes}{boundary}\r\n");
    let mut input = Input::new(response.body);
    let mut pictures = Vec::new();
    while pictures.len() < count {
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
        if headers.len() > MOST_HEADERS {
            return Err(format!("a part has {} headers, and there is room for {MOST_HEADERS}", headers.len()));
        }
        let length = header(&headers, "content-length").ok_or("Missing part Content-Length")?;
        let length = length.parse().map_err(|_| format!("Part Content-Length is {length:?}"))?;
        pictures.push(input.exact(length)?);
    }
    Ok(pictures)
}
