//! What is sent to a viewer as one piece.

use std::time::Instant;

use bytes::Bytes;

/// One part of a stream: some byte strings, one after the other, shared by all who send them.
#[derive(Clone, Debug)]
pub struct Part {
    /// The bytes: a head, an image, a tail.
    pub pieces: [Bytes; 3],
    /// When it was pushed, by which rates are kept.
    pub pushed: Instant,
}

impl Part {
    /// A part that is pushed now.
    pub fn new(head: Bytes, image: Bytes, tail: Bytes) -> Self {
        Self { pieces: [head, image, tail], pushed: Instant::now() }
    }
}
