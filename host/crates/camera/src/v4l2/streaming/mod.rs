//! The capture loop: dequeues all filled buffers, copies the newest image and queues the buffers again.

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tracing::debug;

use super::device::{DequeuedBuffer, Stream, System};
use super::errors::device_error;
use super::extract::{BufferError, CheckedBuffer, ImageExtractor};
use crate::error::SourceError;
use crate::frame::{Timestamp, monotonic_now};
use crate::frame_counts::LostFrames;
use crate::rate_limit::RateLimit;
use crate::source::{Capture, CaptureOutcome, CapturedImage};
use crate::stall::stall_timeout;
use crate::stream_mode::StreamMode;

/// The default number of buffers: one being filled, one waiting, one being copied, and one in reserve for when this
/// process is not scheduled. Images are copied at once, so more buffers would only hold older ones.
pub const DEFAULT_BUFFERS: u32 = 4;

/// How many times in a row a driver may be ready without a buffer, or fail with EIO, which "can also indicate temporary
/// problems like signal loss" (VIDIOC_DQBUF). More would turn the loop into a busy loop.
const MAX_EMPTY_DEQUEUES: u32 = 10;

/// An open V4L2 camera.
pub(super) struct Streaming {
    system: Arc<dyn System>,
    /// The node that is open.
    node: PathBuf,
    stream: Box<dyn Stream>,
    /// The number of buffers that were requested.
    buffers: u32,
    mode: StreamMode,
    extractor: ImageExtractor,
    limit: RateLimit,
    /// How long the device may deliver nothing.
    silence_timeout: Duration,
    /// How long no image may arrive. Longer than `silence_timeout` if `limit` skips most.
    stall_timeout: Duration,
    /// When the last image arrived or was skipped, or the stream started.
    last_delivery: Instant,
    /// When the last image arrived, or the stream started.
    last_image: Instant,
    /// Frames lost since then.
    lost_since: LostFrames,
    /// How many times in a row there was nothing to dequeue.
    empty_dequeues: u32,
    /// The driver's sequence number for the next frame. `None` before the first.
    next_sequence: Option<u32>,
}

impl Streaming {
    /// Reads a stream that was just started in `mode` with this many buffers, and skips frames above `limit`.
    pub(super) fn new(
        system: Arc<dyn System>,
        node: PathBuf,
        (stream, buffers): (Box<dyn Stream>, u32),
        mode: StreamMode,
        extractor: ImageExtractor,
        limit: RateLimit,
    ) -> Self {
        let limited = limit.limited(mode.rate);
        Self {
            system,
            node,
            stream,
            buffers,
            mode: StreamMode { rate: limited, ..mode },
            extractor,
            limit,
            silence_timeout: stall_timeout(mode.rate),
            stall_timeout: stall_timeout(limited),
            last_delivery: Instant::now(),
            last_image: Instant::now(),
            lost_since: LostFrames::default(),
            empty_dequeues: 0,
            next_sequence: None,
        }
    }
}

impl Capture for Streaming {
    fn mode(&self) -> Option<StreamMode> {
        Some(self.mode)
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        let is_ready = self.stream.wait(deadline).map_err(|error| self.error("wait for a picture", error))?;
        let outcome = if is_ready { self.newest()? } else { CaptureOutcome::default() };
        if outcome.image.is_some() {
            self.last_image = Instant::now();
            self.last_delivery = self.last_image;
            self.lost_since = LostFrames::default();
            return Ok(outcome);
        }
        self.lost_since += outcome.lost;
        for (since, limit) in [(self.last_delivery, self.silence_timeout), (self.last_image, self.stall_timeout)] {
            if since.elapsed() > limit {
                let damaged = self.lost_since.damaged();
                return Err(SourceError::Stalled { path: self.node.clone(), after: limit, damaged });
            }
        }
        Ok(outcome)
    }
}

impl Streaming {
    /// Dequeues all filled buffers, copies the newest image, and queues the buffers again.
    fn newest(&mut self) -> Result<CaptureOutcome, SourceError> {
        if self.stream.has_signal_changed() {
            return Err(SourceError::SignalChanged { path: self.node.clone() });
        }
        let mut lost = LostFrames::default();
        let mut newest: Option<(DequeuedBuffer, CheckedBuffer)> = None;
        let mut dequeued = 0;
        // Reported if there is nothing to dequeue too many times in a row.
        let mut reason = io::Error::from(io::ErrorKind::BrokenPipe);
        // At most all buffers are filled before the first is queued again. The limit matters if the driver fills
        // buffers faster than this loop dequeues them.
        while dequeued < self.buffers {
            let buffer = match self.stream.dequeue() {
                Ok(Some(buffer)) => buffer,
                Ok(None) => break,
                Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => {
                    reason = error;
                    break;
                }
                Err(error) => return Err(self.error("deliver a picture", error)),
            };
            dequeued += 1;
            self.empty_dequeues = 0;
            lost.dropped += self.gap_before(&buffer);
            if !self.limit.admits(buffer.timestamp.unwrap_or_else(monotonic_now)) {
                // Before it is checked, which costs time.
                self.requeue(buffer)?;
                self.last_delivery = Instant::now();
                continue;
            }
            match self.check(&buffer) {
                Ok(checked) => {
                    if let Some((older, _)) = newest.replace((buffer, checked)) {
                        lost.late += 1;
                        self.requeue(older)?;
                    }
                }
                Err(rejection) => {
                    self.note_rejection(&mut lost, buffer.sequence, rejection);
                    self.requeue(buffer)?;
                }
            }
        }
        if dequeued == 0 {
            self.empty_dequeues += 1;
            if self.empty_dequeues > MAX_EMPTY_DEQUEUES {
                return Err(self.error("stream", reason));
            }
        }
        let Some((buffer, checked)) = newest else { return Ok(CaptureOutcome { image: None, lost }) };
        let copied = self.extractor.copy(self.stream.planes(&buffer), checked);
        let timestamp = buffer.timestamp.map_or_else(Timestamp::now, Timestamp::from_monotonic);
        let sequence = buffer.sequence;
        // The driver gets its buffer back before the copy is checked.
        self.requeue(buffer)?;
        let checked = copied.and_then(|data| self.extractor.check_data(&data).map(|()| data));
        let image = match checked {
            Ok(data) => Some(CapturedImage { data, timestamp }),
            Err(error) => {
                self.note_rejection(&mut lost, sequence, Rejection::Corrupt(error));
                None
            }
        };
        Ok(CaptureOutcome { image, lost })
    }

    /// Returns how many frames the driver numbered but did not deliver before this one.
    fn gap_before(&mut self, buffer: &DequeuedBuffer) -> u64 {
        let gap = self.next_sequence.map_or(0, |next| buffer.sequence.wrapping_sub(next));
        self.next_sequence = Some(buffer.sequence.wrapping_add(1));
        // A driver that restarts its count or repeats a number has not dropped billions of frames.
        if gap > u32::MAX / 2 { 0 } else { gap.into() }
    }

    /// Checks that a buffer holds an image.
    fn check(&self, buffer: &DequeuedBuffer) -> Result<CheckedBuffer, Rejection> {
        if buffer.is_flagged {
            return Err(Rejection::Flagged);
        }
        self.extractor.check(self.stream.planes(buffer)).map_err(Rejection::Invalid)
    }

    fn note_rejection(&mut self, lost: &mut LostFrames, sequence: u32, rejection: Rejection) {
        debug!("{}: dropped frame {sequence}: {rejection}", self.node.display());
        self.limit.retry();
        match rejection {
            Rejection::Flagged => lost.flagged += 1,
            Rejection::Invalid(BufferError::Empty) => lost.empty += 1,
            Rejection::Invalid(BufferError::InvalidJpeg(_) | BufferError::Short(_)) => lost.malformed += 1,
            Rejection::Corrupt(_) => lost.corrupt += 1,
        }
        if !matches!(rejection, Rejection::Corrupt(_)) {
            self.extractor.note_damage();
        }
    }

    fn requeue(&mut self, buffer: DequeuedBuffer) -> Result<(), SourceError> {
        let queued = self.stream.queue(buffer);
        queued.map_err(|error| self.error("take a buffer back", error))
    }

    fn error(&self, step: &'static str, error: io::Error) -> SourceError {
        device_error(&*self.system, &self.node, step, error)
    }
}

/// Why a buffer is not used.
#[derive(Debug, thiserror::Error)]
enum Rejection {
    #[error("the driver flagged it as damaged")]
    Flagged,
    /// Its structure is invalid.
    #[error(transparent)]
    Invalid(BufferError),
    /// Its structure is valid but its data are damaged.
    #[error(transparent)]
    Corrupt(BufferError),
}
