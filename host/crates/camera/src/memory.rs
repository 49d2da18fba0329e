//! The frames of the last seconds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::frame::{Frame, JpegImage, monotonic_now};

/// The most bytes of images that a camera remembers, whatever the duration. Ten seconds of 1080p at 30 frames per
/// second take about 60 MB.
pub const MAX_BYTES: usize = 128 << 20;

/// What a frame takes besides its image, in bytes, at most. So tiny images are limited as well.
const FRAME_BYTES: usize = 512;

/// The frames of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// How long a frame is remembered. Zero remembers nothing.
    duration: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Ordered by their sequence numbers.
    frames: VecDeque<Arc<Frame>>,
    /// The length of all images together, in bytes.
    bytes: usize,
    /// How long after its capture the newest frame has arrived, which stands for all. The clock of a server that is a camera may be slow, and then
    /// all its frames seem old.
    delay: Duration,
}

impl Memory {
    /// Creates a memory that keeps each frame for this long after its arrival.
    pub(super) fn new(duration: Duration) -> Self {
        Self { duration, state: Mutex::default() }
    }

    /// Whether it remembers anything.
    pub(super) fn remembers(&self) -> bool {
        !self.duration.is_zero()
    }

    /// Remembers a frame that is about to be delivered, and forgets those that are too old or take too much memory.
    pub(super) fn add(&self, frame: &Arc<Frame>) {
        self.add_at(frame, monotonic_now());
    }

    fn add_at(&self, frame: &Arc<Frame>, now: Duration) {
        if !self.remembers() {
            return;
        }
        let newest = frame.timestamp.monotonic;
        // A copy, because the image may be a small part of a large allocation, with what a camera has sent around it.
        let image = JpegImage { bytes: Bytes::copy_from_slice(&frame.image.bytes), ..frame.image.clone() };
        let copy = Arc::new(Frame { image, ..(**frame).clone() });
        let mut state = self.state();
        state.delay = now.saturating_sub(newest);
        state.bytes += bytes_of(&copy);
        state.frames.push_back(copy);
        while state.bytes > MAX_BYTES
            || state.frames.front().is_some_and(|oldest| oldest.timestamp.monotonic + self.duration < newest)
        {
            let Some(forgotten) = state.frames.pop_front() else { return };
            state.bytes -= bytes_of(&forgotten);
        }
    }

    /// Returns the frame with this number, unless it is forgotten. Frames also age while no new one arrives.
    pub(super) fn get(&self, sequence: u64) -> Option<Arc<Frame>> {
        let state = self.state();
        let index = state.frames.binary_search_by_key(&sequence, |frame| frame.sequence).ok()?;
        let frame = state.frames.get(index)?;
        (frame.timestamp.monotonic + state.delay + self.duration >= monotonic_now()).then(|| frame.clone())
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        *self.state() = State::default();
    }

    /// Ignores poisoning: no critical section can leave the state inconsistent.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes_of(frame: &Frame) -> usize {
    FRAME_BYTES + frame.image.bytes.len()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::frame::Timestamp;

    /// Adds a frame that was captured, and arrived, so long ago.
    fn add(memory: &Memory, sequence: u64, age: Duration) {
        let frame = frame(sequence, age);
        memory.add_at(&frame, frame.timestamp.monotonic);
    }

    fn frame(sequence: u64, age: Duration) -> Arc<Frame> {
        let image = JpegImage::new(Bytes::from_static(include_bytes!("../../../../frames/1.jpg"))).unwrap();
        let timestamp = Timestamp { monotonic: monotonic_now() - age, wall: SystemTime::UNIX_EPOCH };
        Arc::new(Frame { image, timestamp, sequence })
    }

    #[test]
    fn frames_are_remembered_for_the_duration() {
        let memory = Memory::new(Duration::from_secs(10));
        for (sequence, age) in [(1, 15), (4, 9), (5, 1)] {
            add(&memory, sequence, Duration::from_secs(age));
        }
        assert!(memory.get(1).is_none() && memory.get(2).is_none() && memory.get(6).is_none());
        assert_eq!(memory.get(4).unwrap().sequence, 4);
        assert_eq!(memory.get(5).unwrap().sequence, 5);
        memory.clear();
        assert!(memory.get(5).is_none());
    }

    #[test]
    fn frames_age_while_no_new_one_arrives() {
        let memory = Memory::new(Duration::from_secs(10));
        add(&memory, 1, Duration::from_secs(11));
        assert!(memory.get(1).is_none());
    }

    /// By the clock of the server that sent them, frames were too old when they arrived.
    #[test]
    fn frames_are_remembered_although_the_clock_of_the_camera_is_slow() {
        let memory = Memory::new(Duration::from_secs(10));
        for (sequence, age) in [(1, 33), (2, 30)] {
            memory.add(&frame(sequence, Duration::from_secs(age)));
        }
        assert!(memory.get(1).is_some() && memory.get(2).is_some());
    }

    #[test]
    fn nothing_is_remembered_by_default() {
        let memory = Memory::default();
        memory.add(&frame(1, Duration::ZERO));
        assert!(memory.get(1).is_none());
    }

    #[test]
    fn padding_around_a_remembered_image_is_freed() {
        let mut padded = include_bytes!("../../../../frames/1.jpg").to_vec();
        padded.resize(8 << 20, 0);
        let image = JpegImage::new(padded.into()).unwrap();
        let timestamp = Timestamp { monotonic: monotonic_now(), wall: SystemTime::UNIX_EPOCH };
        let memory = Memory::new(Duration::from_secs(3600));
        memory.add(&Arc::new(Frame { image: image.clone(), timestamp, sequence: 1 }));
        let remembered = memory.get(1).unwrap();
        assert_eq!(remembered.image.bytes, image.bytes);
        assert_ne!(remembered.image.bytes.as_ptr(), image.bytes.as_ptr(), "it shares the allocation");
    }

    #[test]
    fn the_oldest_frames_make_room_for_new_ones() {
        let memory = Memory::new(Duration::from_secs(3600));
        let length = bytes_of(&frame(0, Duration::ZERO));
        let fitting = (MAX_BYTES / length) as u64;
        for sequence in 0..fitting + 2 {
            memory.add(&frame(sequence, Duration::ZERO));
        }
        assert!(memory.get(1).is_none() && memory.get(2).is_some());
        assert!(memory.state().bytes <= MAX_BYTES);
    }
}
