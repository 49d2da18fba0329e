//! Reads JPEG images from a file descriptor, and keeps only the newest.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::error::InputError;
use crate::frame::Timestamp;
use crate::image_input::{InputState, NewestImage};
use crate::jpeg::{Piece, Splitter};
use crate::source::CaptureOutcome;
use crate::stream_mode::StreamMode;

/// The largest image accepted, in bytes. Pictures of 8K video at the best quality have about half of that.
const MAX_IMAGE: usize = 32 << 20;

/// How many bytes may arrive without an image, so that a program with another output format is noticed at once. An
/// image of the largest size may arrive after one that is too large.
const MAX_BYTES_WITHOUT_IMAGE: u64 = 3 * MAX_IMAGE as u64;

/// How often the input is read at most before the newest image is returned. 16 MiB, so that an input that is faster
/// than this loop cannot keep it from returning.
const MAX_READS: u32 = 256;

/// A byte stream of JPEG images.
pub(super) struct ImageStream {
    input: OwnedFd,
    splitter: Splitter,
    images: NewestImage,
    has_ended: bool,
    /// Bytes received since the last image was returned, or the stream was opened.
    bytes_since: u64,
}

impl ImageStream {
    /// Reads `input`, which is called `name` in messages.
    pub(super) fn new(name: String, input: OwnedFd, state: &InputState) -> Self {
        let images = NewestImage::new(name, state);
        Self { input, splitter: Splitter::new(MAX_IMAGE), images, has_ended: false, bytes_since: 0 }
    }

    pub(super) fn mode(&self) -> Option<StreamMode> {
        self.images.mode()
    }

    /// What messages call the input.
    pub(super) fn name(&self) -> &str {
        self.images.name()
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
            Err(error) => return Err(InputError::Read { input: self.name().to_owned(), source: error.into() }),
        };
        self.has_ended |= length == 0;
        self.bytes_since += length as u64;
        while let Some(piece) = self.splitter.next_piece() {
            match piece {
                // A damaged image is counted.
                Piece::Image(bytes) => drop(self.images.push(bytes, Timestamp::now())),
                Piece::Malformed => self.images.note_malformed("its headers are malformed"),
                Piece::TooLarge => self.images.note_malformed("it is too large"),
            }
        }
        Ok(())
    }

    /// Reads what is ready, with `others` as further descriptors that end the wait, until an image is whole and nothing
    /// more is waiting, or until `deadline`. Returns which of the others are ready.
    pub(super) fn fill<const N: usize>(
        &mut self,
        others: [BorrowedFd<'_>; N],
        deadline: Instant,
    ) -> Result<[bool; N], InputError> {
        for _ in 0..MAX_READS {
            let until = if self.images.is_available() { Instant::now() } else { deadline };
            let input = (!self.has_ended).then(|| self.input.as_fd());
            let (input_ready, others_ready) = wait(input, others, until)
                .map_err(|error| InputError::Read { input: self.name().to_owned(), source: error })?;
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
        self.images.discard();
        self.splitter = Splitter::new(MAX_IMAGE);
    }

    /// Returns the newest image and the frames lost before it.
    pub(super) fn take_newest(&mut self) -> CaptureOutcome {
        let outcome = self.images.take();
        if outcome.image.is_some() {
            self.bytes_since = 0;
        }
        outcome
    }

    /// Fails if no image arrived for too long, or too much without one. `last_line` is the program's last message.
    pub(super) fn check_progress(&self, last_line: impl FnOnce() -> Option<String>) -> Result<(), InputError> {
        if self.bytes_since > MAX_BYTES_WITHOUT_IMAGE {
            return Err(InputError::NoImages { input: self.name().to_owned(), received: self.bytes_since });
        }
        let Some(silence) = self.images.silence() else { return Ok(()) };
        Err(InputError::Silent {
            input: self.name().to_owned(),
            after: silence.after,
            received: self.bytes_since,
            damaged: silence.damaged,
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
