//! Mission Planner: headers are whatever has one colon, until an empty line; so the boundary is skipped as a header
//! that is none. `Content-Length` must be written exactly so, and no header may come twice.

use std::collections::HashMap;

use crate::http::{Input, Response};

pub(crate) fn read(response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    if response.head.header("content-type").is_none() {
        return Err("the stream has no Content-Type".into());
    }
    let mut input = Input::new(response.body);
    let mut pictures = Vec::new();
    while pictures.len() < count {
        let headers = headers(&mut input)?;
        let length = headers.get("Content-Length").ok_or("the part has no header \"Content-Length\", so written")?;
        let length: usize = length.parse().map_err(|_| format!("Content-Length is {length:?}"))?;
        if length > 0 {
            pictures.push(input.exact(length)?);
        }
        // The line break after the picture. If there is none, this eats the boundary, and if there is another, the
        // next headers seem to be empty.
        text(&mut input)?;
    }
    Ok(pictures)
}

fn headers(input: &mut Input) -> Result<HashMap<String, String>, String> {
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
            return Err(format!("the header {name} comes twice"));
        }
    }
}

/// A line. Only CR LF is taken from its end, so that a lone LF does not make an empty one.
fn text(input: &mut Input) -> Result<String, String> {
    let line = input.line()?;
    Ok(String::from_utf8_lossy(line.strip_suffix(b"\r\n").unwrap_or(&line)).into_owned())
}
