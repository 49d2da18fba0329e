//! Byte strings that are sent as one piece.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Some byte strings one after the other, by reference: what a guest wrote at once, such as a part's head,
/// its image and the boundary after it. Sent as one piece, by one `writev`.
#[derive(Debug, Default)]
pub struct Chunks {
    chunks: VecDeque<Bytes>,
    remaining: usize,
}

impl Chunks {
    /// Add a byte string at the end.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.remaining += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    /// The byte strings, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.chunks.iter()
    }

    /// These chunks with another before them.
    pub fn after(mut self, first: Bytes) -> Self {
        if !first.is_empty() {
            self.remaining += first.len();
            self.chunks.push_front(first);
        }
        self
    }
}

impl From<Bytes> for Chunks {
    fn from(chunk: Bytes) -> Self {
        let mut chunks = Self::default();
        chunks.push(chunk);
        chunks
    }
}

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(chunk);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.chunks.front_mut() {
            let step = count.min(front.len());
            front.advance(step);
            count -= step;
            self.remaining -= step;
            if !front.is_empty() {
                return;
            }
            self.chunks.pop_front();
        }
        // The contract of `Buf`: a caller that goes past the end has a defect, and must not go on.
        assert!(count == 0, "advanced past the end");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(parts: &[&'static [u8]]) -> Chunks {
        let mut chunks = Chunks::default();
        for part in parts {
            chunks.push(Bytes::from_static(part));
        }
        chunks
    }

    #[test]
    fn chunks_read_as_one_string_however_they_are_advanced() {
        for step in 1..=9 {
            let mut buffer = chunks(&[b"head", b"", b"image", b"tail"]);
            let mut read = Vec::new();
            while buffer.has_remaining() {
                let count = step.min(buffer.chunk().len());
                read.extend_from_slice(&buffer.chunk()[..count]);
                buffer.advance(count);
            }
            assert_eq!(read, b"headimagetail", "in steps of {step}");
        }
    }

    #[test]
    fn advancing_across_chunks_leaves_the_rest() {
        let mut buffer = chunks(&[b"head", b"image", b"tail"]);
        buffer.advance(6);
        assert_eq!(buffer.remaining(), 7);
        assert_eq!(buffer.chunk(), b"age");
        buffer.advance(7);
        assert!(!buffer.has_remaining());
        assert_eq!(buffer.chunk(), b"");
    }

    #[test]
    fn all_chunks_go_out_in_one_write() {
        let buffer = chunks(&[b"head", b"image", b"tail"]);
        let mut slices = [IoSlice::new(&[]); 8];
        assert_eq!(buffer.chunks_vectored(&mut slices), 3);
        assert_eq!(&*slices[1], b"image");
        assert_eq!(buffer.chunks_vectored(&mut slices[..2]), 2);
    }
}
