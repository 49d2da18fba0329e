//! Mainsail's worker, which reads the body of a `fetch`.
//!
//! It looks for FF D8 within one piece of the body: a picture whose two bytes are in two pieces is lost. The text
//! before is the header, of which only the length is used. A picture is shown when the first byte *after* it is
//! there. FF D8 inside a picture, as in one with a thumbnail, makes it forget what it had of that picture.

use crate::http::Response;

/// As it is, with the pieces as they come.
pub(crate) fn as_it_is(mut response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut worker = Worker::default();
    while worker.shown.len() < count {
        let piece = response.body.piece()?.ok_or("the stream ended")?;
        for (at, byte) in piece.iter().enumerate() {
            worker.take(*byte, *byte == 0xff && piece.get(at + 1) == Some(&0xd8))?;
        }
    }
    Ok(worker.shown)
}

/// As it should be: pieces are of one byte, and the marker is seen across them.
pub(crate) fn byte_wise(mut response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut worker = Worker::default();
    let mut held = None;
    while worker.shown.len() < count {
        let piece = response.body.piece()?.ok_or("the stream ended")?;
        for next in piece {
            // One byte late, to know what follows it. What shows a picture is then still the byte after it.
            if let Some(byte) = held.replace(next) {
                worker.take(byte, byte == 0xff && next == 0xd8)?;
            }
        }
    }
    Ok(worker.shown)
}

#[derive(Default)]
struct Worker {
    header: Vec<u8>,
    /// As the header says. Zero while a header is read.
    length: usize,
    picture: Vec<u8>,
    read: usize,
    shown: Vec<Vec<u8>>,
}

impl Worker {
    fn take(&mut self, byte: u8, starts: bool) -> Result<(), String> {
        if starts {
            self.length = length(&self.header)?;
            self.picture = vec![0; self.length];
        }
        if self.length == 0 {
            self.header.push(byte);
            // A browser would run out of memory, much later.
            if self.header.len() > 16 * 1024 * 1024 {
                return Err("no FF D8 within 16 MB".into());
            }
        } else if self.read < self.length {
            if let Some(place) = self.picture.get_mut(self.read) {
                *place = byte;
            }
            self.read += 1;
        } else {
            self.shown.push(std::mem::take(&mut self.picture));
            self.length = 0;
            self.read = 0;
            self.header.clear();
        }
        Ok(())
    }
}

/// The last line of that name counts. Without one, the original makes an array of length -1, which throws.
fn length(header: &[u8]) -> Result<usize, String> {
    let mut found = None;
    for line in String::from_utf8_lossy(header).split('\n') {
        let mut pair = line.split(':');
        if pair.next().is_some_and(|name| name.eq_ignore_ascii_case("content-length")) {
            found = pair.next().and_then(|value| value.trim().parse().ok());
        }
    }
    match found {
        Some(length) if length <= 64 * 1024 * 1024 => Ok(length),
        Some(length) => Err(format!("it makes a buffer of {length} bytes")),
        None => Err("no Content-Length before FF D8: it makes a buffer of length -1, and ends".into()),
    }
}
