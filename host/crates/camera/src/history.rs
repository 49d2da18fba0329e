//! Records of past frames, kept after their images are gone.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::frame::{Frame, Timestamp};

/// The most records kept for each camera: about an hour at 30 frames per second. They take 3.2 MB, which the system
/// allocates as they are filled.
pub const CAPACITY: usize = 100_000;

/// The time over which the rate is measured. Long enough for a slow camera, short enough to show a change soon.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// The record of a frame that was delivered to readers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameRecord {
    /// The number of frames recorded before it.
    pub index: u64,
    /// The sequence number of the frame.
    pub sequence: u64,
    /// When the frame was captured.
    pub timestamp: Timestamp,
    /// The length of the image in bytes.
    pub length: u32,
    /// The number of frames lost between the previous frame and this one.
    pub lost_before: u32,
}

/// A record in 32 bytes.
#[derive(Clone, Copy, Debug)]
struct CompactRecord {
    sequence: u64,
    /// Nanoseconds since boot.
    monotonic: u64,
    /// Nanoseconds since 1970.
    wall: u64,
    length: u32,
    lost_before: u32,
}

impl CompactRecord {
    fn with_index(&self, index: u64) -> FrameRecord {
        FrameRecord {
            index,
            sequence: self.sequence,
            timestamp: Timestamp {
                monotonic: Duration::from_nanos(self.monotonic),
                wall: SystemTime::UNIX_EPOCH + Duration::from_nanos(self.wall),
            },
            length: self.length,
            lost_before: self.lost_before,
        }
    }
}

/// The last [`CAPACITY`] frames of a camera, oldest first.
#[derive(Debug, Default)]
pub struct History {
    records: VecDeque<CompactRecord>,
    /// The index of the oldest record.
    first: u64,
    /// How long after its capture the newest frame has arrived. The clock of a server that is a camera may be slow, and then
    /// all its frames seem old.
    delay: Duration,
}

impl History {
    /// Records a frame that arrives `now`, a reading of `CLOCK_MONOTONIC`, and the number of frames lost before it.
    pub(super) fn add(&mut self, frame: &Frame, lost_before: u64, now: Duration) {
        self.delay = now.saturating_sub(frame.timestamp.monotonic);
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if self.records.capacity() == 0 {
            // Reserved at once: growing would copy the records under a lock.
            self.records.reserve_exact(CAPACITY);
        }
        if self.records.len() == CAPACITY {
            self.records.pop_front();
            self.first += 1;
        }
        self.records.push_back(CompactRecord {
            sequence: frame.sequence,
            monotonic: nanoseconds(frame.timestamp.monotonic),
            // A clock that shows a time before 1970 was never set.
            wall: nanoseconds(frame.timestamp.wall.duration_since(UNIX_EPOCH).unwrap_or_default()),
            length: u32::try_from(frame.image.bytes.len()).unwrap_or(u32::MAX),
            lost_before: u32::try_from(lost_before).unwrap_or(u32::MAX),
        });
    }

    /// Returns up to `limit` records, starting at index `first` or at the oldest record, whichever is later.
    pub fn records(&self, first: u64, limit: usize) -> impl Iterator<Item = FrameRecord> {
        let skipped = usize::try_from(first.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.records.len());
        let records = (self.first + skipped as u64..).zip(self.records.range(skipped..)).take(limit);
        records.map(|(index, record)| record.with_index(index))
    }

    /// Returns the rate of the frames that arrived in the five seconds before `now`, a reading of `CLOCK_MONOTONIC`, in
    /// frames per second. 0 with fewer than two.
    pub fn rate(&self, now: Duration) -> f64 {
        let start = now.saturating_sub(self.delay + RATE_WINDOW);
        let start = u64::try_from(start.as_nanos()).unwrap_or(u64::MAX);
        let recent = self.records.iter().rev().map(|record| record.monotonic).take_while(|time| *time >= start);
        let (mut count, mut newest, mut oldest) = (0_u32, 0, 0);
        for time in recent {
            if count == 0 {
                newest = time;
            }
            oldest = time;
            count += 1;
        }
        let elapsed = Duration::from_nanos(newest.saturating_sub(oldest)).as_secs_f64();
        if elapsed > 0.0 { f64::from(count - 1) / elapsed } else { 0.0 }
    }

    /// Returns the record of the frame with this number.
    pub fn record_of(&self, sequence: u64) -> Option<FrameRecord> {
        let position = self.records.binary_search_by_key(&sequence, |record| record.sequence).ok()?;
        Some(self.records.get(position)?.with_index(self.first + position as u64))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::frame::JpegImage;

    fn history_of(frames: u64) -> History {
        let image = JpegImage::new(Bytes::from_static(include_bytes!("../../../../frames/1.jpg"))).unwrap();
        let mut history = History::default();
        for number in 0..frames {
            let timestamp = Timestamp {
                monotonic: Duration::from_millis(number),
                wall: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + number),
            };
            let frame = Frame { image: image.clone(), timestamp, sequence: 2 * number + 1 };
            history.add(&frame, 1, timestamp.monotonic);
        }
        history
    }

    fn indices(history: &History, first: u64, limit: usize) -> Vec<u64> {
        history.records(first, limit).map(|record| record.index).collect()
    }

    #[test]
    fn records_keep_the_values_of_their_frames() {
        let history = history_of(3);
        let record = history.records(2, 1).next().unwrap();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_002);
        let timestamp = Timestamp { monotonic: Duration::from_millis(2), wall };
        assert_eq!((record.index, record.sequence, record.timestamp, record.lost_before), (2, 5, timestamp, 1));
        assert_eq!(record.length as usize, include_bytes!("../../../../frames/1.jpg").len());
    }

    #[test]
    fn records_are_found_by_the_number_of_their_frame() {
        let history = history_of(CAPACITY as u64 + 5);
        assert_eq!(history.record_of(2 * 7 + 1), history.records(7, 1).next());
        for unknown in [0, 2 * 4 + 1, 16, 2 * (CAPACITY as u64 + 5) + 1, u64::MAX] {
            assert_eq!(history.record_of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn records_are_limited_to_those_available() {
        let history = history_of(3);
        assert_eq!(indices(&history, 0, 10), [0, 1, 2]);
        assert_eq!(indices(&history, 1, 1), [1]);
        assert!(indices(&history, 3, 10).is_empty() && indices(&history, u64::MAX, 10).is_empty());
        assert!(indices(&History::default(), 0, 10).is_empty());
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        // A frame for each millisecond, from 0 to 9,999.
        let history = history_of(10_000);
        let rate = |milliseconds| history.rate(Duration::from_millis(milliseconds)).round();
        assert_eq!([rate(9_999), rate(14_000), rate(15_100)], [1000.0, 1000.0, 0.0]);
        assert_eq!(history_of(1).rate(Duration::ZERO), 0.0);
    }

    #[test]
    fn the_rate_is_measured_although_the_clock_of_the_camera_is_slow() {
        let frame = |millisecond: u64| {
            let image = JpegImage::new(Bytes::from_static(include_bytes!("../../../../frames/1.jpg"))).unwrap();
            let timestamp = Timestamp { monotonic: Duration::from_millis(millisecond), wall: SystemTime::UNIX_EPOCH };
            Frame { image, timestamp, sequence: millisecond }
        };
        let slow = Duration::from_secs(30);
        let mut history = History::default();
        for millisecond in (0..1000).step_by(100) {
            history.add(&frame(millisecond), 0, slow + Duration::from_millis(millisecond));
        }
        assert_eq!(history.rate(slow + Duration::from_secs(1)).round(), 10.0);
        assert_eq!(history.rate(slow + Duration::from_secs(7)), 0.0);
    }

    #[test]
    fn the_oldest_records_are_dropped_first() {
        let history = history_of(CAPACITY as u64 + 5);
        assert_eq!(indices(&history, 0, 2), [5, 6]);
        assert_eq!(history.records(0, usize::MAX).count(), CAPACITY);
        assert_eq!(indices(&history, CAPACITY as u64 + 4, 2), [CAPACITY as u64 + 4]);
        let sequences: Vec<_> = history.records(7, 2).map(|record| record.sequence).collect();
        assert_eq!(sequences, [15, 17]);
    }
}
