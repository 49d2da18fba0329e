//! The thread that makes pictures of raw images, beside the capture thread of a camera that gives such.
//!
//! Encoding takes longer than capturing, and a driver whose buffers come back late drops frames. So the capture
//! thread leaves its newest image in a slot and goes on; what the encoder did not get to in time is overwritten.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tracing::warn;

use super::frame::{Frame, Moment, Picture};
use super::raw::{Encoder, Layout};
use super::source::Raw;

/// A raw image on its way to the encoder.
pub(super) struct Negative {
    pub(super) raw: Raw,
    pub(super) taken: Moment,
    pub(super) sequence: u64,
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

/// A running encoder. Dropping it ends the thread, and waits for that: an image at most.
pub(super) struct EncodingThread {
    slot: Arc<Slot>,
    thread: Option<JoinHandle<()>>,
}

impl EncodingThread {
    /// Start to encode; `done` is called on the thread with each frame.
    pub(super) fn start(name: String, done: impl Fn(Frame) + Send + 'static) -> std::io::Result<Self> {
        let slot = Arc::new(Slot::default());
        let source = slot.clone();
        let thread = thread::Builder::new().name(name).spawn(move || encode_all(&source, &done))?;
        Ok(Self { slot, thread: Some(thread) })
    }

    /// Encode this image next, instead of the one that waits, if one does.
    pub(super) fn encode(&self, negative: Negative) {
        self.slot.lock().newest = Some(negative);
        self.slot.changed.notify_one();
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
            // An error is a panic, which was printed, and ends nothing but this opening of the camera.
            let _ = thread.join();
        }
    }
}

/// The body of the thread.
fn encode_all(slot: &Slot, done: &dyn Fn(Frame)) {
    let mut prepared: Option<(Layout, u8, Encoder)> = None;
    let mut said = false;
    while let Some(Negative { raw: Raw { bytes, layout, quality }, taken, sequence }) = slot.take() {
        let encoder = match prepared.take() {
            Some((for_layout, for_quality, encoder)) if (for_layout, for_quality) == (layout, quality) => Ok(encoder),
            _ => Encoder::new(layout, quality),
        };
        let encoded = encoder.and_then(|mut encoder| {
            let jpeg = encoder.encode(&bytes);
            prepared = Some((layout, quality, encoder));
            jpeg
        });
        match encoded.map_err(|error| error.to_string()).and_then(|jpeg| Picture::new(jpeg).map_err(|e| e.to_string()))
        {
            Ok(picture) => done(Frame { picture, captured: taken, sequence }),
            Err(error) if !said => {
                warn!("an image cannot be encoded: {error}");
                said = true;
            }
            Err(_) => {}
        }
    }
}
