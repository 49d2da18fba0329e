//! The encoding thread, which runs alongside the capture thread of a camera with raw images.
//!
//! Encoding takes longer than capturing, and a driver that gets its buffers back late drops frames. So the capture
//! thread hands over its newest image and continues. If encoding falls behind, newer images replace older ones.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tracing::warn;

use super::frame::{Frame, JpegImage, Timestamp};
use super::frame_tracker::StreamPosition;
use super::jpeg::JpegError;
use super::raw::{EncodeError, Encoder, Layout};
use super::source::RawImage;

/// A raw image on its way to the encoder.
pub(super) struct RawFrame {
    pub(super) image: RawImage,
    pub(super) timestamp: Timestamp,
    pub(super) position: StreamPosition,
}

/// Holds the newest image for the encoding thread.
#[derive(Default)]
struct Mailbox {
    state: Mutex<MailboxState>,
    changed: Condvar,
}

#[derive(Default)]
struct MailboxState {
    newest: Option<RawFrame>,
    /// No more images will come.
    is_closed: bool,
}

impl Mailbox {
    /// Ignores poisoning: no critical section can leave the state inconsistent.
    fn lock(&self) -> MutexGuard<'_, MailboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an image. Returns `None` once the mailbox is closed and empty.
    fn receive(&self) -> Option<RawFrame> {
        let is_empty = |state: &mut MailboxState| state.newest.is_none() && !state.is_closed;
        let mut state = self.changed.wait_while(self.lock(), is_empty).unwrap_or_else(PoisonError::into_inner);
        state.newest.take()
    }
}

/// Why an image cannot be encoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodingError {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A bug in the encoder.
    #[error("the encoder produced an invalid image: {0}")]
    InvalidOutput(#[from] JpegError),
}

/// The thread has ended and logged the reason.
pub(super) struct EncoderStopped;

/// A running encoding thread. Dropping it waits for the thread to end, which takes at most as long as one image.
pub(super) struct EncodingThread {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
}

impl EncodingThread {
    /// Starts the thread. It calls `on_frame` with each frame and the number of frames lost before it.
    pub(super) fn start(name: String, on_frame: impl Fn(Frame, u64) + Send + 'static) -> std::io::Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let receiver = mailbox.clone();
        let thread = thread::Builder::new().name(name).spawn(move || encode_all(&receiver, &on_frame))?;
        Ok(Self { mailbox, thread: Some(thread) })
    }

    /// Hands over an image. Returns whether it replaced one that was still waiting and is now lost.
    ///
    /// # Errors
    ///
    /// [`EncoderStopped`] if the thread has ended because an image could not be encoded.
    pub(super) fn encode(&self, mut frame: RawFrame) -> Result<bool, EncoderStopped> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(EncoderStopped);
        }
        let mut mailbox = self.mailbox.lock();
        let replaced = mailbox.newest.take().map(|replaced| replaced.position.lost_before + 1);
        frame.position.lost_before += replaced.unwrap_or_default();
        mailbox.newest = Some(frame);
        drop(mailbox);
        self.mailbox.changed.notify_one();
        Ok(replaced.is_some())
    }

    /// Discards the waiting image.
    pub(super) fn clear(&self) {
        self.mailbox.lock().newest = None;
    }
}

impl Drop for EncodingThread {
    fn drop(&mut self) {
        self.mailbox.lock().is_closed = true;
        self.mailbox.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // An error is a panic, which the panic hook has reported.
            let _ = thread.join();
        }
    }
}

/// The body of the thread. Ends when the mailbox is closed, or when an image cannot be encoded, because the next ones
/// would fail in the same way.
fn encode_all(mailbox: &Mailbox, on_frame: &dyn Fn(Frame, u64)) {
    let mut cached: Option<(Layout, u8, Encoder)> = None;
    while let Some(RawFrame { image, timestamp, position }) = mailbox.receive() {
        match encode(&mut cached, &image) {
            Ok(image) => on_frame(Frame { image, timestamp, sequence: position.sequence }, position.lost_before),
            Err(error) => return warn!("cannot encode an image: {error}"),
        }
    }
}

/// Encodes an image, with the cached encoder if it has the same layout and quality.
fn encode(cached: &mut Option<(Layout, u8, Encoder)>, raw: &RawImage) -> Result<JpegImage, EncodingError> {
    let (_, _, encoder) = match cached {
        Some(same) if (same.0, same.1) == (raw.layout, raw.quality) => same,
        other => other.insert((raw.layout, raw.quality, Encoder::new(raw.layout, raw.quality)?)),
    };
    Ok(encode_with(encoder, &raw.bytes)?.turned(raw.orientation))
}

/// Encodes pixels with this encoder.
pub(super) fn encode_with(encoder: &mut Encoder, pixels: &[u8]) -> Result<JpegImage, EncodingError> {
    Ok(JpegImage::new(encoder.encode(pixels)?)?)
}
