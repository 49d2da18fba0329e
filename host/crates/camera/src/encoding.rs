//! The encoding thread, which runs alongside the capture thread of a camera with raw images.
//!
//! Encoding takes longer than capturing, and a driver that gets its buffers back late drops frames. So the capture
//! thread hands over its newest image and continues. If encoding falls behind, newer images replace older ones.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tracing::warn;

use super::frame::{Frame, JpegImage, Timestamp};
use super::frame_tracker::StreamPosition;
use super::jpeg::JpegError;
use super::mailbox::Mailbox;
use super::raw::{EncodeError, Encoder, Layout};
use super::source::RawImage;

/// A raw image on its way to the encoder.
pub(super) struct RawFrame {
    pub(super) image: RawImage,
    pub(super) timestamp: Timestamp,
    pub(super) position: StreamPosition,
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
    mailbox: Arc<Mailbox<RawFrame>>,
    thread: Option<JoinHandle<()>>,
}

impl EncodingThread {
    /// Starts the thread. It calls `on_frame` with each frame and the number of frames lost before it.
    pub(super) fn start(name: String, on_frame: impl Fn(Frame, u64) + Send + 'static) -> std::io::Result<Self> {
        let mailbox = Arc::<Mailbox<_>>::default();
        let receiver = mailbox.clone();
        let thread = thread::Builder::new().name(name).spawn(move || encode_all(&receiver, &on_frame))?;
        Ok(Self { mailbox, thread: Some(thread) })
    }

    /// Hands over an image. Returns whether it replaced one that was still waiting and is now lost.
    ///
    /// # Errors
    ///
    /// [`EncoderStopped`] if the thread has ended because an image could not be encoded.
    pub(super) fn encode(&self, frame: RawFrame) -> Result<bool, EncoderStopped> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(EncoderStopped);
        }
        Ok(self.mailbox.put(frame, |new, lost| new.position.lost_before += lost.position.lost_before + 1))
    }

    /// Discards the waiting image.
    pub(super) fn clear(&self) {
        self.mailbox.clear();
    }
}

impl Drop for EncodingThread {
    fn drop(&mut self) {
        self.mailbox.close();
        if let Some(thread) = self.thread.take() {
            // An error is a panic, which the panic hook has reported.
            let _ = thread.join();
        }
    }
}

/// The body of the thread. Ends when the mailbox is closed, or when an image cannot be encoded, because the next ones
/// would fail in the same way.
fn encode_all(mailbox: &Mailbox<RawFrame>, on_frame: &dyn Fn(Frame, u64)) {
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
