//! Mainsail's worker, which reads the body of a `fetch()`.
//!
//! The worker looks for FF D8 within each piece of data that the browser delivers, so it loses an image whose FF and D8
//! arrive separately. From the text before FF D8, it uses only Content-Length. It shows an image when the first byte
//! *after* it arrives. FF D8 within an image, as in a thumbnail, makes it discard what it has of that image.

use crate::http::Response;

/// The original worker.
pub(crate) fn read(mut response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut worker = Worker::default();
    while worker.shown.len() < count {
        let data = response.body.next_data()?.ok_or("the stream ended")?;
        for (at, byte) in data.iter().enumerate() {
            worker.process(*byte, *byte == 0xff && data.get(at + 1) == Some(&0xd8))?;
        }
    }
    Ok(worker.shown)
}

/// A worker that also finds FF D8 across two pieces of data.
pub(crate) fn read_fixed(mut response: Response, count: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut worker = Worker::default();
    let mut previous = None;
    while worker.shown.len() < count {
        let data = response.body.next_data()?.ok_or("the stream ended")?;
        for next in data {
            // Each byte is processed when the next one is known.
            if let Some(byte) = previous.replace(next) {
                worker.process(byte, byte == 0xff && next == 0xd8)?;
            }
        }
    }
    Ok(worker.shown)
}

#[derive(Default)]
struct Worker {
    header: Vec<u8>,
    /// The Content-Length. Zero while the header is read.
    length: usize,
    image: Vec<u8>,
    /// The number of bytes of the image that were read.
    position: usize,
    shown: Vec<Vec<u8>>,
}

impl Worker {
    fn process(&mut self, byte: u8, is_start_of_image: bool) -> Result<(), String> {
        if is_start_of_image {
            self.length = content_length(&self.header)?;
            self.image = vec![0; self.length];
        }
        if self.length == 0 {
            self.header.push(byte);
            // The original has no limit and would run out of memory.
            if self.header.len() > 16 * 1024 * 1024 {
                return Err("no FF D8 within 16 MB".into());
            }
        } else if self.position < self.length {
            if let Some(slot) = self.image.get_mut(self.position) {
                *slot = byte;
            }
            self.position += 1;
        } else {
            self.shown.push(std::mem::take(&mut self.image));
            self.length = 0;
            self.position = 0;
            self.header.clear();
        }
        Ok(())
    }
}

/// Returns the last Content-Length. Without one, the original creates an array of length -1, which throws.
fn content_length(header: &[u8]) -> Result<usize, String> {
    let mut found = None;
    for line in String::from_utf8_lossy(header).split('\n') {
        let mut pair = line.split(':');
        if pair.next().is_some_and(|name| name.eq_ignore_ascii_case("content-length")) {
            found = pair.next().and_then(|value| value.trim().parse().ok());
        }
    }
    match found {
        Some(length) if length <= 64 * 1024 * 1024 => Ok(length),
        Some(length) => Err(format!("Content-Length is {length}: the worker would allocate that much")),
        None => Err("no Content-Length before FF D8: the worker creates an array of length -1 and throws".into()),
    }
}
