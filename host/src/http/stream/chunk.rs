//! A part in HTTP/1.1's chunked coding (RFC 9112, section 7.1).

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::write_half::WriteHalf;
use crate::channels::Part;

/// What follows the bytes of a chunk.
pub(super) const CHUNK_END: &[u8] = b"\r\n";

/// Returns the line before a chunk with this many bytes.
pub(super) fn size_line(length: usize) -> String {
    format!("{length:X}\r\n")
}

/// A part as one chunk. Each shard creates it once for each push and shares it among its viewers.
pub(super) struct Chunk {
    part: Arc<Part>,
    /// The length of the part in hexadecimal, and the end of the line.
    size_line: Box<str>,
}

impl Chunk {
    /// Frames a part. Returns `None` if it is empty: an empty chunk is the last of a body.
    pub(super) fn new(part: Arc<Part>) -> Option<Self> {
        (!part.is_empty()).then(|| Self { size_line: size_line(part.len()).into(), part })
    }

    /// Returns the part.
    pub(super) fn part(&self) -> &Part {
        &self.part
    }

    /// Returns the length in bytes, including the framing.
    pub(super) fn len(&self) -> usize {
        self.size_line.len() + self.part.len() + CHUNK_END.len()
    }

    /// Writes as much of the chunk as the sink accepts, after the first `sent` bytes. One call for a socket is one
    /// `writev`. Returns the number of bytes written.
    pub(super) fn try_write(&self, writer: &WriteHalf, sent: usize) -> io::Result<usize> {
        let mut slices = self.slices();
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, sent);
        writer.try_write_vectored(rest)
    }

    /// Returns the bytes of the chunk.
    pub(super) fn slices(&self) -> [IoSlice<'_>; 5] {
        let [head, image, tail] = self.part.pieces();
        [self.size_line.as_bytes(), head, image, tail, CHUNK_END].map(IoSlice::new)
    }
}
