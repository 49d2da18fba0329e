//! Reading a body by bytes and lines.

use super::body::Body;
use super::head::MAX_LINE_LENGTH;

/// Reads a body by bytes and lines, regardless of how it arrives.
#[derive(Debug)]
pub struct BodyReader {
    body: Body,
    buffer: Vec<u8>,
    position: usize,
}

impl BodyReader {
    /// Reads this body.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self { body, buffer: Vec::new(), position: 0 }
    }

    /// Reads at most this many bytes per second from now on.
    pub fn limit_rate(&mut self, bytes_per_second: f64) {
        self.body.limit_rate(bytes_per_second);
    }

    /// Reads one byte.
    ///
    /// # Errors
    ///
    /// If the timeout expires or the body ends.
    pub fn byte(&mut self) -> Result<u8, String> {
        loop {
            if let Some(byte) = self.buffer.get(self.position) {
                self.position += 1;
                return Ok(*byte);
            }
            self.fill()?;
        }
    }

    /// Reads up to and including the next line feed.
    ///
    /// # Errors
    ///
    /// As for [`BodyReader::byte`], and if the line is too long for a header.
    pub fn line(&mut self) -> Result<Vec<u8>, String> {
        let mut line = Vec::new();
        loop {
            let byte = self.byte()?;
            line.push(byte);
            if byte == b'\n' {
                return Ok(line);
            }
            if line.len() > MAX_LINE_LENGTH {
                let start = line.iter().take(40).copied().collect::<Vec<_>>();
                let start = String::from_utf8_lossy(&start).into_owned();
                return Err(format!("expected a line, found {MAX_LINE_LENGTH} bytes without LF: {start:?}…"));
            }
        }
    }

    /// Reads exactly this many bytes.
    ///
    /// # Errors
    ///
    /// As for [`BodyReader::byte`].
    pub fn exact(&mut self, length: usize) -> Result<Vec<u8>, String> {
        while self.buffer.len() - self.position < length {
            self.fill()?;
        }
        let bytes = self.buffer.iter().skip(self.position).take(length).copied().collect();
        self.position += length;
        Ok(bytes)
    }

    /// Returns the next bytes without consuming them.
    ///
    /// # Errors
    ///
    /// As for [`BodyReader::byte`].
    pub fn peek(&mut self, length: usize) -> Result<Vec<u8>, String> {
        let bytes = self.exact(length)?;
        self.position -= length;
        Ok(bytes)
    }

    fn fill(&mut self) -> Result<(), String> {
        self.buffer.drain(..self.position);
        self.position = 0;
        let data = self.body.next_data()?.ok_or("the stream ended")?;
        self.buffer.extend(data);
        Ok(())
    }
}
