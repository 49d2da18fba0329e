//! One part of a stream.

use std::time::Instant;

use bytes::Bytes;

/// One part of a stream. Viewers are sent a whole part or nothing of it. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Part {
    /// The bytes before the image, such as its headers.
    pub head: Bytes,
    /// The image. Empty if the part has no image.
    pub image: Bytes,
    /// The bytes after the image, such as a boundary.
    pub tail: Bytes,
    /// When the part was created, just before the push. Rate limits use this time.
    pub pushed_at: Instant,
}

impl Part {
    /// Creates a part to be pushed now.
    pub fn new(head: Bytes, image: Bytes, tail: Bytes) -> Self {
        Self { head, image, tail, pushed_at: Instant::now() }
    }

    /// Returns the head, the image and the tail.
    pub fn pieces(&self) -> [&Bytes; 3] {
        [&self.head, &self.image, &self.tail]
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> usize {
        self.pieces().into_iter().map(Bytes::len).sum()
    }

    /// Returns whether the part has no bytes. Viewers are not sent empty parts: an empty chunk would end the response.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
