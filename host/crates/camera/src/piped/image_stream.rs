//! Reads JPEG images from a file descriptor, and keeps only the newest.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tracing::debug;

use super::error::InputError;
use crate::frame::{JpegImage, Timestamp};
use crate::frame_counts::LostFrames;
use crate::frame_sampling::FrameSampling;
use crate::image_checker::ImageChecker;
use crate::jpeg::{Options, Piece, Splitter};
use crate::source::{CaptureOutcome, CapturedImage, ImageData};
use crate::stall::stall_timeout;
use crate::stream_mode::StreamMode;

/// The largest image accepted, in bytes. Pictures of 8K video at the best quality have about half of that.
const MAX_IMAGE: usize = 32 << 20;

/// How many bytes may arrive without an image, so that a program with another output format is noticed at once. An
/// image of the largest size may arrive after one that is too large.
const MAX_BYTES_WITHOUT_IMAGE: u64 = 3 * MAX_IMAGE as u64;

/// How long the first image may take: network cameras wait for a key frame, and some devices need seconds to wake up.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the input is read at most before the newest image is returned. 16 MiB, so that an input that is faster
/// than this loop cannot keep it from returning.
const MAX_READS: u32 = 256;

/// What applies to every input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InputOptions {
    /// The frame rate to expect, in frames per second, greater than 0.
    pub rate: Option<f64>,
    /// Accepts JPEG images without an end marker.
    pub allow_truncated: bool,
}

/// What belongs to a camera and outlasts an opening.
#[derive(Clone, Debug, Default)]
pub(super) struct InputState {
    pub(super) options: InputOptions,
    sampling: Arc<Mutex<FrameSampling>>,
}

impl InputState {
    pub(super) fn new(options: InputOptions) -> Self {
        Self { options, sampling: Arc::default() }
    }
}

/// A byte stream of JPEG images.
pub(super) struct ImageStream {
    /// For messages.
    name: String,
    input: OwnedFd,
    splitter: Splitter,
    checker: ImageChecker,
    rate: Option<f64>,
    mode: Option<StreamMode>,
    has_ended: bool,
    /// The newest whole image that was not returned, and when it arrived.
    newest: Option<(JpegImage, Timestamp)>,
    /// Frames lost that were not reported.
    lost: LostFrames,
    /// When the last image was returned, or the stream was opened.
    last_image: Instant,
    /// Damaged images and bytes received since then.
    damaged_since: u64,
    bytes_since: u64,
}

impl ImageStream {
    /// Reads `input`, which is called `name` in messages.
    pub(super) fn new(name: String, input: OwnedFd, state: &InputState) -> Self {
        let InputState { options, sampling } = state;
        let checks = Options { allow_truncated: options.allow_truncated };
        Self {
            name,
            input,
            splitter: Splitter::new(MAX_IMAGE),
            checker: ImageChecker::new(checks, sampling.clone()),
            rate: options.rate,
            mode: None,
            has_ended: false,
            newest: None,
            lost: LostFrames::default(),
            last_image: Instant::now(),
            damaged_since: 0,
            bytes_since: 0,
        }
    }

    pub(super) fn mode(&self) -> Option<StreamMode> {
        self.mode
    }

    /// What messages call the input.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the input was closed.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Reads once, which does not block if the input is ready.
    pub(super) fn read(&mut self) -> Result<(), InputError> {
        let buffer = self.splitter.buffer();
        let length = match rustix::io::read(&self.input, spare_capacity(buffer)) {
            Ok(length) => length,
            Err(Errno::INTR | Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(InputError::Read { input: self.name.clone(), source: error.into() }),
        };
        self.has_ended |= length == 0;
        self.bytes_since += length as u64;
        while let Some(piece) = self.splitter.next_piece() {
            match piece {
                Piece::Image(bytes) => match self.checker.complete(bytes) {
                    Ok(image) => {
                        let replaced = self.newest.replace((image, Timestamp::now()));
                        self.lost.late += u64::from(replaced.is_some());
                    }
                    Err(error) => self.note_malformed(&error.to_string()),
                },
                Piece::Malformed => self.note_malformed("its headers are malformed"),
                Piece::TooLarge => self.note_malformed("it is too large"),
            }
        }
        Ok(())
    }

    fn note_malformed(&mut self, reason: &str) {
        debug!("{}: dropped an image: {reason}", self.name);
        self.checker.note_damage();
        self.lost.malformed += 1;
        self.damaged_since += 1;
    }

    /// Reads what is ready, with `others` as further descriptors that end the wait, until an image is whole and nothing
    /// more is waiting, or until `deadline`. Returns which of the others are ready.
    pub(super) fn fill<const N: usize>(
        &mut self,
        others: [BorrowedFd<'_>; N],
        deadline: Instant,
    ) -> Result<[bool; N], InputError> {
        for _ in 0..MAX_READS {
            let until = if self.newest.is_some() { Instant::now() } else { deadline };
            let input = (!self.has_ended).then(|| self.input.as_fd());
            let (input_ready, others_ready) = wait(input, others, until)
                .map_err(|error| InputError::Read { input: self.name.clone(), source: error })?;
            if input_ready {
                self.read()?;
            }
            if others_ready.contains(&true) {
                return Ok(others_ready);
            }
            if !input_ready || self.has_ended || Instant::now() >= deadline {
                break;
            }
        }
        Ok([false; N])
    }

    /// Forgets everything that was read, also the start of an image.
    pub(super) fn discard(&mut self) {
        self.newest = None;
        self.lost = LostFrames::default();
        self.splitter = Splitter::new(MAX_IMAGE);
    }

    /// Returns the newest image and the frames lost before it.
    pub(super) fn take_newest(&mut self) -> CaptureOutcome {
        let newest = self.newest.take();
        let checked = newest.and_then(|(image, timestamp)| match self.checker.check_data(&image) {
            Ok(()) => Some((image, timestamp)),
            Err(error) => {
                debug!("{}: dropped an image: {error}", self.name);
                self.lost.corrupt += 1;
                self.damaged_since += 1;
                None
            }
        });
        if let Some((image, _)) = &checked {
            let dimensions = image.dimensions;
            self.mode = Some(StreamMode { dimensions, rate: self.rate, format: None, quality: None });
            self.last_image = Instant::now();
            self.damaged_since = 0;
            self.bytes_since = 0;
        }
        let lost = std::mem::take(&mut self.lost);
        let captured = |(image, timestamp)| CapturedImage { data: ImageData::Jpeg(image), timestamp };
        CaptureOutcome { image: checked.map(captured), lost }
    }

    /// Fails if no image arrived for too long, or too much without one. `last_line` is the program's last message.
    pub(super) fn check_progress(&self, last_line: impl FnOnce() -> Option<String>) -> Result<(), InputError> {
        if self.bytes_since > MAX_BYTES_WITHOUT_IMAGE {
            return Err(InputError::NoImages { input: self.name.clone(), received: self.bytes_since });
        }
        let stalled_after = stall_timeout(self.rate);
        let after = if self.mode.is_some() { stalled_after } else { stalled_after.max(START_TIMEOUT) };
        if self.last_image.elapsed() <= after {
            return Ok(());
        }
        Err(InputError::Silent {
            input: self.name.clone(),
            after,
            received: self.bytes_since,
            damaged: self.damaged_since,
            last_line: last_line(),
        })
    }
}

/// Waits until a descriptor is ready or `deadline` has passed. Closed and broken ones are ready, too.
fn wait<const N: usize>(
    input: Option<BorrowedFd<'_>>,
    others: [BorrowedFd<'_>; N],
    deadline: Instant,
) -> io::Result<(bool, [bool; N])> {
    let mut polled: Vec<PollFd<'_>> =
        others.into_iter().chain(input).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    let left = deadline.saturating_duration_since(Instant::now());
    match poll(&mut polled, Timespec::try_from(left).ok().as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut ready = polled.iter().map(|fd| !fd.revents().is_empty());
    let others_ready = std::array::from_fn(|_| ready.next().unwrap_or(false));
    Ok((ready.next().unwrap_or(false), others_ready))
}
