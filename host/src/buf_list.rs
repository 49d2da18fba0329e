//! Several byte strings as one buffer.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// A list of byte strings that reads as one buffer, such as a part's head, image and tail. hyper writes it with one
/// `writev`, without copying.
#[derive(Debug, Default)]
pub struct BufList {
    bufs: VecDeque<Bytes>,
    remaining: usize,
}

impl BufList {
    /// Appends a byte string.
    pub fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.remaining += bytes.len();
            self.bufs.push_back(bytes);
        }
    }

    /// Removes and returns the first byte string.
    pub fn pop(&mut self) -> Option<Bytes> {
        let bytes = self.bufs.pop_front()?;
        self.remaining -= bytes.len();
        Some(bytes)
    }

    /// Returns the byte strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.bufs.iter()
    }

    /// Returns the list with `bytes` inserted at the front.
    pub fn prepend(mut self, bytes: Bytes) -> Self {
        if !bytes.is_empty() {
            self.remaining += bytes.len();
            self.bufs.push_front(bytes);
        }
        self
    }
}

impl From<Bytes> for BufList {
    fn from(bytes: Bytes) -> Self {
        let mut list = Self::default();
        list.push(bytes);
        list
    }
}

impl Buf for BufList {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.bufs.front().map_or(&[], |bytes| bytes)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, bytes) in slices.iter_mut().zip(&self.bufs) {
            *slice = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.bufs.front_mut() {
            let step = count.min(front.len());
            front.advance(step);
            count -= step;
            self.remaining -= step;
            if !front.is_empty() {
                return;
            }
            self.bufs.pop_front();
        }
        // `Buf::advance` must panic here: the caller has a bug.
        assert!(count == 0, "advanced past the end");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(parts: &[&'static [u8]]) -> BufList {
        let mut list = BufList::default();
        for part in parts {
            list.push(Bytes::from_static(part));
        }
        list
    }

    #[test]
    fn a_list_reads_as_one_buffer_in_steps_of_any_size() {
        for step in 1..=9 {
            let mut buffer = list(&[b"head", b"", b"image", b"tail"]);
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
    fn advancing_across_byte_strings_leaves_the_rest() {
        let mut buffer = list(&[b"head", b"image", b"tail"]);
        buffer.advance(6);
        assert_eq!(buffer.remaining(), 7);
        assert_eq!(buffer.chunk(), b"age");
        buffer.advance(7);
        assert!(!buffer.has_remaining());
        assert_eq!(buffer.chunk(), b"");
    }

    #[test]
    fn all_byte_strings_go_into_one_vectored_write() {
        let buffer = list(&[b"head", b"image", b"tail"]);
        let mut slices = [IoSlice::new(&[]); 8];
        assert_eq!(buffer.chunks_vectored(&mut slices), 3);
        assert_eq!(&*slices[1], b"image");
        assert_eq!(buffer.chunks_vectored(&mut slices[..2]), 2);
    }
}
