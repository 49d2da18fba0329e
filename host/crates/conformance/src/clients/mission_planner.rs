//! Mission Planner: reads lines up to an empty one and parses those with one colon as headers, so it skips the
//! boundary. `Content-Length` must be spelled exactly like this, and no header may be repeated.

use std::collections::HashMap;

use crate::http::{BodyReader, Response};

pub(crate) fn read(response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    if response.head.header("content-type").is_none() {
        return Err("the stream has no Content-Type".into());
    }
    let mut input = BodyReader::new(response.body);
    let mut images = Vec::new();
    while images.len() < count {
        let headers = headers(&mut input)?;
        let length = headers.get("Content-Length").ok_or("a part has no header spelled \"Content-Length\"")?;
        let length: usize = length.parse().map_err(|_| format!("Content-Length is {length:?}"))?;
        if length > 0 {
            images.push(input.exact(length)?);
        }
        // The line break after the image. Without one, this skips the boundary; after two, the next headers seem empty.
        text(&mut input)?;
    }
    Ok(images)
}

fn headers(input: &mut BodyReader) -> Result<HashMap<String, String>, String> {
    let mut headers = HashMap::new();
    loop {
        let line = text(input)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let items: Vec<_> = line.split(':').filter(|item| !item.is_empty()).collect();
        if let [name, value] = items.as_slice()
            && headers.insert(name.trim().to_owned(), value.trim().to_owned()).is_some()
        {
            return Err(format!("the header {name} is repeated"));
        }
    }
}

/// Reads a line without its CRLF. A lone LF is part of the line.
fn text(input: &mut BodyReader) -> Result<String, String> {
    let line = input.line()?;
    Ok(String::from_utf8_lossy(line.strip_suffix(b"\r\n").unwrap_or(&line)).into_owned())
}
