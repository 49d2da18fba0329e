//! The encoding thread, which runs alongside the capture thread of a camera with raw images.
//!
//! Encoding takes longer than capturing, and a driver that gets its buffers back late drops frames. So the capture
//! thread hands over its newest image and continues. If encoding falls behind, newer images replace older ones.
//!
//! If one thread cannot keep up with the camera, it divides each image among several (`encoding_threads.rs`). They work on
//! the same image, so images stay in order, and each is delivered sooner than with one thread.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tracing::warn;

use super::encoding_threads::EncodingThreads;
use super::frame::{Frame, JpegImage, Timestamp};
use super::frame_tracker::StreamPosition;
use super::jpeg::JpegError;
use super::mailbox::Mailbox;
use super::raw::{EncodeError, Encoder, Layout};
use super::source::RawImage;

/// More threads would gain little: each has to be started for each image.
const MAX_THREADS: usize = 8;

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
        let threads = EncodingThreads::new(max_threads());
        let thread = thread::Builder::new().name(name).spawn(move || encode_all(&receiver, threads, &on_frame))?;
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
fn encode_all(mailbox: &Mailbox<RawFrame>, mut threads: EncodingThreads, on_frame: &dyn Fn(Frame, u64)) {
    let mut cached: Option<(Layout, u8, Encoder)> = None;
    while let Some(RawFrame { image, timestamp, position }) = mailbox.receive() {
        let count = threads.for_image(timestamp.monotonic, position.sequence);
        let start = Instant::now();
        let encoded = encode(&mut cached, &image, count);
        threads.finished(start.elapsed());
        match encoded {
            Ok(image) => on_frame(Frame { image, timestamp, sequence: position.sequence }, position.lost_before),
            Err(error) => return warn!("cannot encode an image: {error}"),
        }
    }
}

/// Returns how many threads may encode an image: one for each processor but one, which is left to everything else.
fn max_threads() -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    (processors - 1).clamp(1, MAX_THREADS)
}

/// Encodes an image, with the cached encoder if it has the same layout and quality.
fn encode(
    cached: &mut Option<(Layout, u8, Encoder)>,
    raw: &RawImage,
    threads: usize,
) -> Result<JpegImage, EncodingError> {
    let (_, _, encoder) = match cached {
        Some(same) if (same.0, same.1) == (raw.layout, raw.quality) => same,
        other => other.insert((raw.layout, raw.quality, Encoder::new(raw.layout, raw.quality)?)),
    };
    encoder.set_threads(threads);
    Ok(encode_with(encoder, &raw.bytes)?.turned(raw.orientation))
}

/// Encodes pixels with this encoder.
pub(super) fn encode_with(encoder: &mut Encoder, pixels: &[u8]) -> Result<JpegImage, EncodingError> {
    Ok(JpegImage::new(encoder.encode(pixels)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dimensions::Dimensions;
    use crate::orientation::Orientation;
    use crate::raw::{PixelFormat, Range};
    use std::sync::mpsc;
    use std::time::Duration;

    /// The time until a test fails, however loaded the machine is.
    const DEADLINE: Duration = Duration::from_secs(60);

    fn frame(sequence: u64, side: u32) -> RawFrame {
        let dimensions = Dimensions { width: side, height: side };
        let layout = Layout { format: PixelFormat::Yuyv, dimensions, stride: 0, range: Range::Full };
        let bytes = vec![128; layout.frame_length()];
        let image = RawImage { bytes, layout, quality: 80, orientation: Orientation::default() };
        let position = StreamPosition { sequence, lost_before: 0 };
        RawFrame { image, timestamp: Timestamp::now(), position }
    }

    /// Pushes images faster than they can be encoded. Every one is delivered or counted as lost, in order.
    #[test]
    fn images_stay_in_order_and_the_oldest_waiting_one_is_dropped() {
        const COUNT: u64 = 200;
        let (sender, receiver) = mpsc::channel();
        let on_frame = move |frame: Frame, lost| sender.send((frame.sequence, lost)).unwrap();
        let thread = EncodingThread::start("test".to_owned(), on_frame).unwrap();
        let mut replaced = 0;
        for sequence in 0..COUNT {
            let has_replaced = thread.encode(frame(sequence, 160)).unwrap_or_else(|_| panic!("the thread has ended"));
            replaced += u64::from(has_replaced);
        }
        let mut next = 0;
        let mut delivered = 0;
        while next < COUNT {
            let (sequence, lost) = receiver.recv_timeout(DEADLINE).unwrap();
            assert_eq!(sequence, next + lost, "an image is out of order or was lost without being counted");
            next = sequence + 1;
            delivered += 1;
        }
        assert_eq!(delivered + replaced, COUNT);
        drop(thread);
        assert!(receiver.recv().is_err(), "the thread goes on after it was dropped");
    }

    #[test]
    fn an_image_that_waits_when_the_thread_is_dropped_is_still_delivered_and_then_nothing_is_left() {
        let (sender, receiver) = mpsc::channel();
        let on_frame = move |frame: Frame, _| sender.send(frame.sequence).unwrap();
        let thread = EncodingThread::start("test".to_owned(), on_frame).unwrap();
        thread.encode(frame(7, 64)).unwrap_or_else(|_| panic!("the thread has ended"));
        drop(thread);
        assert_eq!(receiver.recv().ok(), Some(7));
        assert!(receiver.recv().is_err());
    }
}
