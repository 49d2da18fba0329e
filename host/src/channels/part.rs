//! What is sent to a viewer as one piece.

use std::io::{self, IoSlice};
use std::time::Instant;

use crate::http::socket::WriteHalf;
use bytes::Bytes;

/// One part of a stream: some byte strings, one after the other, shared by all who send them.
#[derive(Clone, Debug)]
pub struct Part {
    /// The bytes: a head, an image, a tail.
    pub pieces: [Bytes; 3],
    /// When it was pushed, by which rates are kept.
    pub pushed: Instant,
    /// What stands before the bytes where they are a chunk of HTTP/1.1's (RFC 9112, section 7.1).
    chunk_head: Box<str>,
}

/// What stands after the bytes of a chunk.
const CHUNK_TAIL: &[u8] = b"\r\n";

impl Part {
    /// A part that is pushed now.
    pub fn new(head: Bytes, image: Bytes, tail: Bytes) -> Self {
        let length = head.len() + image.len() + tail.len();
        let chunk_head = format!("{length:X}\r\n").into();
        Self { pieces: [head, image, tail], pushed: Instant::now(), chunk_head }
    }

    /// Whether there is nothing in it. As a chunk, that would be the last.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.iter().all(Bytes::is_empty)
    }

    /// How long it is as a chunk.
    pub(super) fn chunk_length(&self) -> usize {
        self.chunk_head.len() + self.pieces.iter().map(Bytes::len).sum::<usize>() + CHUNK_TAIL.len()
    }

    /// Send what the socket takes of it as a chunk, of which so much was sent before. Returns how much it took.
    pub(super) fn send(&self, half: &WriteHalf, sent: usize) -> io::Result<usize> {
        let [head, image, tail] = &self.pieces;
        let mut slices = [self.chunk_head.as_bytes(), head, image, tail, CHUNK_TAIL].map(IoSlice::new);
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, sent);
        half.try_write_vectored(rest)
    }
}
