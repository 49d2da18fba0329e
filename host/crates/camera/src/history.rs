//! What is remembered of frames when their images are gone.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::frame::{Frame, Timestamp};

/// How many frames are remembered of each camera: about an hour of a fast one. Together they take 3.2 MB, which are
/// taken as frames come.
pub const CAPACITY: usize = 100_000;

/// A frame that readers could have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameRecord {
    /// How many frames of its camera came before it.
    pub index: u64,
    /// Its number.
    pub sequence: u64,
    /// When it was captured.
    pub timestamp: Timestamp,
    /// The image's length in bytes.
    pub length: u32,
    /// How many frames nobody could see between the one before it and it.
    pub lost_before: u32,
}

/// An entry as it is kept: in 32 bytes.
#[derive(Clone, Copy, Debug)]
struct Kept {
    sequence: u64,
    /// Nanoseconds since boot.
    monotonic: u64,
    /// Nanoseconds since 1970.
    wall: u64,
    length: u32,
    lost_before: u32,
}

/// The last frames of a camera, oldest first: at most [`CAPACITY`].
#[derive(Debug, Default)]
pub struct History {
    kept: VecDeque<Kept>,
    /// The index of the oldest that is kept.
    first: u64,
}

impl History {
    /// Remember a frame, before which so many were lost.
    pub(super) fn add(&mut self, frame: &Frame, lost_before: u64) {
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if self.kept.capacity() == 0 {
            // All at once, since growing would copy it under a lock. The system gives the pages as they are filled.
            self.kept.reserve_exact(CAPACITY);
        }
        if self.kept.len() == CAPACITY {
            self.kept.pop_front();
            self.first += 1;
        }
        self.kept.push_back(Kept {
            sequence: frame.sequence,
            monotonic: nanoseconds(frame.timestamp.monotonic),
            // A clock before 1970 is a clock that was never set.
            wall: nanoseconds(frame.timestamp.wall.duration_since(UNIX_EPOCH).unwrap_or_default()),
            length: u32::try_from(frame.image.bytes.len()).unwrap_or(u32::MAX),
            lost_before: u32::try_from(lost_before).unwrap_or(u32::MAX),
        });
    }

    /// Up to `limit` entries from index `first` on, or from the oldest that is there if that is later.
    pub fn records(&self, first: u64, limit: usize) -> impl Iterator<Item = FrameRecord> {
        let skipped = usize::try_from(first.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.kept.len());
        (self.first + skipped as u64..).zip(self.kept.range(skipped..)).take(limit).map(|(index, kept)| FrameRecord {
            index,
            sequence: kept.sequence,
            timestamp: Timestamp {
                monotonic: Duration::from_nanos(kept.monotonic),
                wall: SystemTime::UNIX_EPOCH + Duration::from_nanos(kept.wall),
            },
            length: kept.length,
            lost_before: kept.lost_before,
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::frame::JpegImage;

    fn history_of(frames: u64) -> History {
        let picture = JpegImage::new(Bytes::from_static(include_bytes!("../../../../frames/1.jpg"))).unwrap();
        let mut history = History::default();
        for number in 0..frames {
            let captured = Timestamp {
                monotonic: Duration::from_millis(number),
                wall: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + number),
            };
            let frame = Frame { image: picture.clone(), timestamp: captured, sequence: 2 * number + 1 };
            history.add(&frame, 1);
        }
        history
    }

    fn indices(history: &History, first: u64, limit: usize) -> Vec<u64> {
        history.records(first, limit).map(|entry| entry.index).collect()
    }

    #[test]
    fn entries_are_given_as_they_were() {
        let history = history_of(3);
        let entry = history.records(2, 1).next().unwrap();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_002);
        let captured = Timestamp { monotonic: Duration::from_millis(2), wall };
        assert_eq!((entry.index, entry.sequence, entry.timestamp, entry.lost_before), (2, 5, captured, 1));
        assert_eq!(entry.length as usize, include_bytes!("../../../../frames/1.jpg").len());
    }

    #[test]
    fn no_more_are_given_than_there_are() {
        let history = history_of(3);
        assert_eq!(indices(&history, 0, 10), [0, 1, 2]);
        assert_eq!(indices(&history, 1, 1), [1]);
        assert!(indices(&history, 3, 10).is_empty() && indices(&history, u64::MAX, 10).is_empty());
        assert!(indices(&History::default(), 0, 10).is_empty());
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let history = history_of(CAPACITY as u64 + 5);
        assert_eq!(indices(&history, 0, 2), [5, 6]);
        assert_eq!(history.records(0, usize::MAX).count(), CAPACITY);
        assert_eq!(indices(&history, CAPACITY as u64 + 4, 2), [CAPACITY as u64 + 4]);
        let sequences: Vec<_> = history.records(7, 2).map(|entry| entry.sequence).collect();
        assert_eq!(sequences, [15, 17]);
    }
}
