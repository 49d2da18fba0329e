//! The parts that `channel.push-frames` makes of frames, and how large parts may be.

use std::io::Write as _;

use bytes::Bytes;

use super::bindings::hotshoe::server::channels::{ErrorCode, HeadPiece};
use super::frames::wall_time;
use crate::camera::Frame;
use crate::channels::Part;

/// The maximum length of a part's head and tail together, in bytes. They hold headers and boundaries, or a JSON
/// document, which takes a few kilobytes even for many cameras.
pub(super) const MAX_PART_BYTES: usize = 4 << 20;

/// The most pieces of a head. Enough for a dozen headers with a number each, and few enough that a part is made at once:
/// nothing interrupts the host, as the epoch does a guest.
const MAX_PIECES: usize = 64;

/// The length of the longest number: 20 digits, a point, and six digits.
const MAX_NUMBER_BYTES: usize = 27;

/// What the parts of a channel have in common.
pub(super) struct FrameParts {
    head: Vec<HeadPiece>,
    /// The most bytes of a head.
    max_head_bytes: usize,
    tail: Bytes,
}

impl FrameParts {
    /// Fails if the parts would be too large.
    pub(super) fn new(head: Vec<HeadPiece>, tail: Vec<u8>) -> Result<Self, ErrorCode> {
        if head.len() > MAX_PIECES {
            return Err(ErrorCode::Other(format!("the head has more than {MAX_PIECES} pieces")));
        }
        let length = |piece: &HeadPiece| match piece {
            HeadPiece::Bytes(bytes) => bytes.len(),
            HeadPiece::Length | HeadPiece::Sequence | HeadPiece::WallTime => MAX_NUMBER_BYTES,
        };
        let max_head_bytes = head.iter().map(length).sum();
        if max_head_bytes + tail.len() > MAX_PART_BYTES {
            return Err(ErrorCode::PartTooLarge(MAX_PART_BYTES as u64));
        }
        Ok(Self { head, max_head_bytes, tail: tail.into() })
    }

    /// Makes a part of a frame.
    pub(super) fn part(&self, frame: &Frame) -> Part {
        let mut head = Vec::with_capacity(self.max_head_bytes);
        for piece in &self.head {
            // Writing to a `Vec` cannot fail.
            let _ = match piece {
                HeadPiece::Bytes(bytes) => head.write_all(bytes),
                HeadPiece::Length => write!(head, "{}", frame.image.bytes.len()),
                HeadPiece::Sequence => write!(head, "{}", frame.sequence),
                HeadPiece::WallTime => {
                    let time = wall_time(frame.timestamp.wall);
                    write!(head, "{}.{:06}", time.seconds, time.nanoseconds / 1000)
                }
            };
        }
        Part::new(head.into(), frame.image.bytes.clone(), self.tail.clone())
    }
}
