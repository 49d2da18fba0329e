//! The thread that makes pictures of raw images, beside the capture thread of a camera that gives such.
//!
//! Encoding takes longer than capturing, and a driver whose buffers come back late drops frames. So the capture
//! thread leaves its newest image in a slot and goes on; what the encoder did not get to in time is overwritten.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tracing::warn;

use super::frame::{Frame, JpegImage, Timestamp};
use super::jpeg::JpegError;
use super::raw::{EncodeError, Encoder, Layout};
use super::source::RawImage;

/// A raw image on its way to the encoder.
pub(super) struct Negative {
    pub(super) raw: RawImage,
    pub(super) timestamp: Timestamp,
    pub(super) sequence: u64,
    /// How many nobody could see between the one before it and it.
    pub(super) lost_before: u64,
}

/// The place between the two threads.
#[derive(Default)]
struct Slot {
    state: Mutex<SlotState>,
    changed: Condvar,
}

#[derive(Default)]
struct SlotState {
    newest: Option<Negative>,
    /// Nothing more will come.
    closed: bool,
}

impl Slot {
    /// Poisoned or not: what is in there is whole at any time.
    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait for an image; none when there will be none.
    fn take(&self) -> Option<Negative> {
        let waiting = |state: &mut SlotState| state.newest.is_none() && !state.closed;
        let mut state = self.changed.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        state.newest.take()
    }
}

/// Why an image cannot be encoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodingError {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A defect of the encoder.
    #[error("the encoder made no image: {0}")]
    JpegImage(#[from] JpegError),
}

/// The thread has ended, with a word in the log.
pub(super) struct NoEncoder;

/// A running encoder. Dropping it ends the thread, and waits for that: an image at most.
pub(super) struct EncodingThread {
    slot: Arc<Slot>,
    thread: Option<JoinHandle<()>>,
}

impl EncodingThread {
    /// Start to encode; `done` is called on the thread with each frame, and the number of those lost before it.
    pub(super) fn start(name: String, done: impl Fn(Frame, u64) + Send + 'static) -> std::io::Result<Self> {
        let slot = Arc::new(Slot::default());
        let source = slot.clone();
        let thread = thread::Builder::new().name(name).spawn(move || encode_all(&source, &done))?;
        Ok(Self { slot, thread: Some(thread) })
    }

    /// Encode this image next, instead of the one that waits. Returns whether one did: nobody will see that.
    /// Fails if the thread has ended, since images cannot be encoded.
    pub(super) fn encode(&self, mut negative: Negative) -> Result<bool, NoEncoder> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(NoEncoder);
        }
        let mut slot = self.slot.lock();
        let overtaken = slot.newest.take().map(|overtaken| overtaken.lost_before + 1);
        negative.lost_before += overtaken.unwrap_or_default();
        slot.newest = Some(negative);
        drop(slot);
        self.slot.changed.notify_one();
        Ok(overtaken.is_some())
    }

    /// Forget the image that waits.
    pub(super) fn clear(&self) {
        self.slot.lock().newest = None;
    }
}

impl Drop for EncodingThread {
    fn drop(&mut self) {
        self.slot.lock().closed = true;
        self.slot.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // An error is a panic, which was printed; the next image finds the thread ended.
            let _ = thread.join();
        }
    }
}

/// The body of the thread: encode until there will be no more images, or one cannot be encoded, which none then can.
fn encode_all(slot: &Slot, done: &dyn Fn(Frame, u64)) {
    let mut prepared: Option<(Layout, u8, Encoder)> = None;
    while let Some(negative) = slot.take() {
        match encode(&mut prepared, &negative.raw) {
            Ok(picture) => {
                let frame = Frame { image: picture, timestamp: negative.timestamp, sequence: negative.sequence };
                done(frame, negative.lost_before);
            }
            Err(error) => return warn!("an image cannot be encoded: {error}"),
        }
    }
}

/// Make a picture, by the encoder that is prepared if it fits.
fn encode(prepared: &mut Option<(Layout, u8, Encoder)>, raw: &RawImage) -> Result<JpegImage, EncodingError> {
    let (_, _, encoder) = match prepared {
        Some(fitting) if (fitting.0, fitting.1) == (raw.layout, raw.quality) => fitting,
        other => other.insert((raw.layout, raw.quality, Encoder::new(raw.layout, raw.quality)?)),
    };
    picture(encoder, &raw.bytes)
}

/// Make a picture of these pixels.
pub(super) fn picture(encoder: &mut Encoder, pixels: &[u8]) -> Result<JpegImage, EncodingError> {
    Ok(JpegImage::new(encoder.encode(pixels)?)?)
}
