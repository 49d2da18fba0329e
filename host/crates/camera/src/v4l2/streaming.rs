//! The capture loop: of the buffers that the driver has filled, the newest image; the others go back at once.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tracing::debug;

use super::device::{Filled, Stream, System};
use super::errors::device_error;
use super::images::{Images, NoImage};
use crate::error::SourceError;
use crate::frame::Timestamp;
use crate::source::{Capture, CaptureOutcome, CapturedImage, StreamMode};
use crate::status::LostFrames;

/// Buffers to ask for: one being filled, one waiting, one being copied, and one in reserve for when this
/// process is not scheduled. Frames are copied out at once, so more would only hold older ones.
pub(super) const BUFFERS: u32 = 4;

/// Without an image for this long, the device is opened anew. Longer than the longest exposure of webcams in the
/// dark; for slower rates, [`STALL_FRAMES`] counts.
const STALL: Duration = Duration::from_secs(3);

/// Without an image for this many times the time between two, the device is opened anew.
const STALL_FRAMES: f64 = 3.0;

/// So many times in a row may the driver be ready and then have nothing, or fail to say what (EIO, which "can also
/// indicate temporary problems like signal loss", VIDIOC_DQBUF). After that it would keep us spinning.
const HICCUPS: u32 = 10;

/// A V4L2 camera that is open.
pub(super) struct Streaming {
    system: Arc<dyn System>,
    /// The node that it is open by.
    node: PathBuf,
    stream: Box<dyn Stream>,
    mode: StreamMode,
    images: Images,
    /// How long to wait for an image.
    patience: Duration,
    /// When the last image came, or the stream started.
    last_image: Instant,
    /// What was lost since then.
    losses_since: LostFrames,
    /// How often in a row there was nothing to take.
    hiccups: u32,
    /// The driver's number for the next frame; none before the first.
    next_sequence: Option<u32>,
}

impl Streaming {
    /// Read this stream, which was just started.
    pub(super) fn new(
        system: Arc<dyn System>,
        node: PathBuf,
        stream: Box<dyn Stream>,
        mode: StreamMode,
        images: Images,
    ) -> Self {
        // A rate is greater than 0, yet may be so small that the time is more than a `Duration` holds.
        let slow = mode.rate.and_then(|rate| Duration::try_from_secs_f64(STALL_FRAMES / rate).ok());
        Self {
            system,
            node,
            stream,
            mode,
            images,
            patience: slow.map_or(STALL, |slow| STALL.max(slow)),
            last_image: Instant::now(),
            losses_since: LostFrames::default(),
            hiccups: 0,
            next_sequence: None,
        }
    }
}

impl Capture for Streaming {
    fn mode(&self) -> StreamMode {
        self.mode
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        let ready = self.stream.wait(deadline).map_err(|error| self.error("wait for a picture", error))?;
        let captured = if ready { self.newest()? } else { CaptureOutcome::default() };
        if captured.image.is_some() {
            self.last_image = Instant::now();
            self.losses_since = LostFrames::default();
            return Ok(captured);
        }
        self.losses_since += captured.lost;
        if self.last_image.elapsed() > self.patience {
            let damaged = self.losses_since.damaged();
            return Err(SourceError::Stalled { path: self.node.clone(), after: self.patience, damaged });
        }
        Ok(captured)
    }
}

impl Streaming {
    /// Take all buffers that are filled, copy the newest image out, and give the buffers back.
    fn newest(&mut self) -> Result<CaptureOutcome, SourceError> {
        let mut losses = LostFrames::default();
        let mut newest: Option<Filled> = None;
        let mut dequeued = 0;
        // What is said if there is nothing to take, time and again.
        let mut reason = io::Error::from(io::ErrorKind::BrokenPipe);
        // No driver can have filled more buffers than there are before we give one back; bounded all the
        // same, so that one which fills faster than we look can't keep us here.
        while dequeued < BUFFERS {
            let filled = match self.stream.dequeue() {
                Ok(Some(filled)) => filled,
                Ok(None) => break,
                Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => {
                    reason = error;
                    break;
                }
                Err(error) => return Err(self.error("give a picture", error)),
            };
            dequeued += 1;
            self.hiccups = 0;
            losses.dropped += self.gap_before(&filled);
            if let Err(damage) = self.look(&filled) {
                self.note_damage(&mut losses, filled.sequence, damage);
                self.give_back(filled)?;
            } else if let Some(overtaken) = newest.replace(filled) {
                losses.late += 1;
                self.give_back(overtaken)?;
            }
        }
        if dequeued == 0 {
            self.hiccups += 1;
            if self.hiccups > HICCUPS {
                return Err(self.error("stream", reason));
            }
        }
        let Some(newest) = newest else { return Ok(CaptureOutcome { image: None, lost: losses }) };
        let copied = self.images.copy(self.stream.bytes(&newest));
        let taken = newest.timestamp.map_or_else(Timestamp::now, Timestamp::at);
        let sequence = newest.sequence;
        // Before the copy is looked at any closer, let alone by others.
        self.give_back(newest)?;
        let image = copied
            .and_then(|content| self.images.scrutinise(&content).map(|()| CapturedImage { content, timestamp: taken }));
        let image = match image {
            Ok(image) => Some(image),
            Err(damage) => {
                self.note_damage(&mut losses, sequence, Damage::Inside(damage));
                None
            }
        };
        Ok(CaptureOutcome { image, lost: losses })
    }

    /// How many frames the driver numbered and never gave out before this one.
    fn gap_before(&mut self, filled: &Filled) -> u64 {
        let gap = self.next_sequence.map_or(0, |next| filled.sequence.wrapping_sub(next));
        self.next_sequence = Some(filled.sequence.wrapping_add(1));
        // A driver that starts its count again, or repeats a number, has not lost billions of frames.
        if gap > u32::MAX / 2 { 0 } else { gap.into() }
    }

    /// Whether a buffer looks like an image from outside.
    fn look(&self, filled: &Filled) -> Result<(), Damage> {
        if filled.flagged {
            return Err(Damage::Flagged);
        }
        self.images.look(self.stream.bytes(filled)).map_err(Damage::Outside)
    }

    fn note_damage(&mut self, losses: &mut LostFrames, sequence: u32, damage: Damage) {
        debug!("{}: frame {sequence} is dropped: {damage}", self.node.display());
        match damage {
            Damage::Flagged => losses.flagged += 1,
            Damage::Outside(NoImage::Empty) => losses.empty += 1,
            Damage::Outside(NoImage::InvalidJpeg(_) | NoImage::Short { .. }) => losses.malformed += 1,
            Damage::Inside(_) => losses.corrupt += 1,
        }
        if !matches!(damage, Damage::Inside(_)) {
            self.images.note_damage();
        }
    }

    fn give_back(&mut self, filled: Filled) -> Result<(), SourceError> {
        let queued = self.stream.queue(filled);
        queued.map_err(|error| self.error("take a buffer back", error))
    }

    fn error(&self, step: &'static str, error: io::Error) -> SourceError {
        device_error(&*self.system, &self.node, step, error)
    }
}

/// Why a buffer is not shown.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error("the driver flagged it as damaged")]
    Flagged,
    #[error(transparent)]
    Outside(NoImage),
    #[error(transparent)]
    Inside(NoImage),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dimensions::Dimensions;
    use crate::fourcc::FourCc;
    use crate::source::ImageData;
    use crate::v4l2::device::Format;
    use crate::v4l2::negotiate::Agreement;
    use crate::v4l2::scripted::{Gadget, Operation, Script, Step};

    const NODE: &str = "/dev/video0";
    const PICTURE: &[u8] = include_bytes!("../../../../../frames/1.jpg");

    /// A webcam that streams this format.
    fn streaming(script: &Script, code: &[u8; 4]) -> Streaming {
        streaming_with(script, code, false)
    }

    fn streaming_with(script: &Script, code: &[u8; 4], allow_truncated: bool) -> Streaming {
        script.plug(NODE, Gadget::webcam("Cam"));
        let system: Arc<dyn System> = Arc::new(script.clone());
        let device = system.open(NODE.as_ref()).unwrap();
        let dimensions = Dimensions { width: 16, height: 16 };
        let format = Format { code: FourCc(*code), dimensions, stride: 0, full_range: false };
        let mode = StreamMode { dimensions, rate: Some(30.0), format: Some(format.code), quality: None };
        let images = Images::new(&Agreement { format, mode }, 80, allow_truncated, Arc::default()).unwrap();
        let stream = device.start(BUFFERS).unwrap();
        Streaming::new(system, NODE.into(), stream, mode, images)
    }

    fn next(streaming: &mut Streaming) -> CaptureOutcome {
        streaming.next(Instant::now()).unwrap()
    }

    fn buffer(bytes: &[u8], flagged: bool, dropped: u32) -> Step {
        Step::Buffer { bytes: bytes.to_vec(), flagged, dropped }
    }

    #[test]
    fn of_many_filled_buffers_the_newest_is_taken_and_all_go_back() {
        let script = Script::default();
        let mut streaming = streaming(&script, b"MJPG");
        for round in 0..10 {
            for _ in 0..3 {
                script.give(NODE, Step::good(PICTURE));
            }
            let captured = next(&mut streaming);
            assert!(captured.image.is_some(), "round {round}: the driver has no buffers left");
            assert_eq!(captured.lost, LostFrames { late: 2, ..LostFrames::default() });
            assert_eq!(script.left(NODE), 0);
        }
    }

    #[test]
    fn what_is_lost_is_counted_by_its_cause() {
        let script = Script::default();
        let mut streaming = streaming(&script, b"MJPG");
        let mut corrupt = PICTURE.to_vec();
        let middle = corrupt.len() / 2;
        corrupt[middle..middle + 64]
            .iter_mut()
            .zip(0..)
            .for_each(|(byte, index)| *byte ^= 0x5a_u8.wrapping_add(index * 3));
        for (step, lost) in [
            (buffer(PICTURE, true, 0), LostFrames { flagged: 1, ..LostFrames::default() }),
            (buffer(b"", false, 0), LostFrames { empty: 1, ..LostFrames::default() }),
            (buffer(&PICTURE[..PICTURE.len() / 2], false, 0), LostFrames { malformed: 1, ..LostFrames::default() }),
            (buffer(&corrupt, false, 0), LostFrames { corrupt: 1, ..LostFrames::default() }),
        ] {
            script.give(NODE, step);
            let captured = next(&mut streaming);
            assert!(captured.image.is_none());
            assert_eq!(captured.lost, lost);
        }
        script.give(NODE, buffer(PICTURE, false, 7));
        let captured = next(&mut streaming);
        assert!(captured.image.is_some());
        assert_eq!(captured.lost, LostFrames { dropped: 7, ..LostFrames::default() });
    }

    #[test]
    fn a_whole_image_is_shown_though_the_one_after_it_is_damaged() {
        let script = Script::default();
        let mut streaming = streaming(&script, b"MJPG");
        script.give(NODE, Step::good(PICTURE));
        script.give(NODE, buffer(b"", false, 0));
        let captured = next(&mut streaming);
        assert!(captured.image.is_some());
        assert_eq!(captured.lost, LostFrames { empty: 1, ..LostFrames::default() });
    }

    #[test]
    fn an_image_without_its_end_is_given_one_where_that_is_allowed() {
        let endless = &PICTURE[..PICTURE.len() - 2];
        let script = Script::default();
        let mut strict = streaming(&script, b"MJPG");
        script.give(NODE, Step::good(endless));
        assert_eq!(next(&mut strict).lost, LostFrames { malformed: 1, ..LostFrames::default() });
        let script = Script::default();
        let mut lenient = streaming_with(&script, b"MJPG", true);
        script.give(NODE, Step::good(endless));
        let Some(CapturedImage { content: ImageData::Jpeg(picture), .. }) = next(&mut lenient).image else {
            panic!("no image")
        };
        assert_eq!(picture.bytes, PICTURE);
        // One that lacks more than that is still no picture.
        script.give(NODE, Step::good(&PICTURE[..PICTURE.len() / 2]));
        assert_eq!(next(&mut lenient).lost, LostFrames { corrupt: 1, ..LostFrames::default() });
    }

    #[test]
    fn an_image_that_starts_late_or_twice_is_shown_from_its_last_start_on() {
        let script = Script::default();
        let mut streaming = streaming(&script, b"MJPG");
        for before in [&b"\0\0\0\0"[..], &PICTURE[..300], &PICTURE[..PICTURE.len() / 2]] {
            script.give(NODE, Step::good(&[before, PICTURE].concat()));
            let Some(CapturedImage { content: ImageData::Jpeg(picture), .. }) = next(&mut streaming).image else {
                panic!("no image")
            };
            assert_eq!(picture.bytes, PICTURE);
        }
    }

    #[test]
    fn hiccups_pass_and_an_endless_one_is_an_error() {
        let script = Script::default();
        let mut streaming = streaming(&script, b"MJPG");
        let hiccups = [Step::Nothing, Step::Error(Errno::IO.raw_os_error()), Step::Nothing];
        for step in hiccups {
            script.give(NODE, step);
            assert!(next(&mut streaming).image.is_none());
        }
        script.give(NODE, Step::good(PICTURE));
        assert!(next(&mut streaming).image.is_some());
        for _ in 0..HICCUPS {
            script.give(NODE, Step::Error(Errno::IO.raw_os_error()));
            assert!(next(&mut streaming).image.is_none());
        }
        script.give(NODE, Step::Error(Errno::IO.raw_os_error()));
        let error = streaming.next(Instant::now()).unwrap_err();
        assert!(matches!(error, SourceError::Device { step: "stream", .. }), "{error}");
        assert!(error.to_string().contains("Input/output error"), "{error}");
    }

    #[test]
    fn an_unplugged_camera_is_gone_at_once_also_with_an_image_in_hand() {
        let script = Script::default();
        let mut streaming = streaming(&script, b"MJPG");
        script.give(NODE, Step::good(PICTURE));
        script.fail(NODE, Operation::Queue, Errno::NODEV.raw_os_error(), 1);
        assert!(matches!(streaming.next(Instant::now()), Err(SourceError::Gone { .. })));
        script.unplug(NODE);
        assert!(matches!(streaming.next(Instant::now()), Err(SourceError::Gone { .. })));
        drop(streaming);
        assert_eq!(script.handles(), 0);
    }

    #[test]
    fn a_silent_camera_is_stalled_and_so_is_one_with_damaged_images_only() {
        let script = Script::default();
        let mut streaming = streaming(&script, b"MJPG");
        streaming.patience = Duration::from_millis(20);
        let error = std::iter::repeat_with(|| streaming.next(Instant::now())).find_map(Result::err).unwrap();
        assert!(matches!(error, SourceError::Stalled { damaged: 0, .. }), "{error}");
        streaming.last_image = Instant::now();
        let error = std::iter::repeat_with(|| {
            script.give(NODE, buffer(b"", false, 0));
            streaming.next(Instant::now())
        });
        let error = error.into_iter().find_map(Result::err).unwrap();
        assert!(matches!(error, SourceError::Stalled { damaged: 1.., .. }), "{error}");
    }

    #[test]
    fn a_slow_camera_is_given_the_time_that_it_takes() {
        let script = Script::default();
        let streaming = streaming(&script, b"MJPG");
        let with_rate = |rate| {
            let mode = StreamMode { rate: Some(rate), ..streaming.mode };
            let stream = script.open(NODE.as_ref()).unwrap().start(BUFFERS).unwrap();
            let images = Images::new(
                &Agreement {
                    format: Format {
                        code: FourCc(*b"MJPG"),
                        dimensions: mode.dimensions,
                        stride: 0,
                        full_range: false,
                    },
                    mode,
                },
                80,
                false,
                Arc::default(),
            );
            Streaming::new(Arc::new(script.clone()), NODE.into(), stream, mode, images.unwrap()).patience
        };
        assert_eq!(with_rate(30.0), STALL);
        assert_eq!(with_rate(0.1), Duration::from_secs(30));
        assert_eq!(with_rate(f64::MIN_POSITIVE), STALL, "more than a Duration holds");
    }

    #[test]
    fn raw_images_are_whole_or_none() {
        let script = Script::default();
        let mut streaming = streaming(&script, b"YUYV");
        script.give(NODE, buffer(&[128; 511], false, 0));
        assert_eq!(next(&mut streaming).lost, LostFrames { malformed: 1, ..LostFrames::default() });
        script.give(NODE, buffer(&[128; 600], false, 0));
        let Some(CapturedImage { content: ImageData::Raw(raw), .. }) = next(&mut streaming).image else {
            panic!("no image")
        };
        assert_eq!(raw.bytes.len(), 512);
    }

    #[test]
    fn a_number_that_wraps_or_starts_again_is_no_loss() {
        let script = Script::default();
        let mut streaming = streaming(&script, b"MJPG");
        script.give(NODE, buffer(PICTURE, false, u32::MAX));
        assert_eq!(next(&mut streaming).lost.dropped, 0);
        script.give(NODE, Step::good(PICTURE));
        assert_eq!(next(&mut streaming).lost.dropped, 0, "0 follows the largest");
        script.give(NODE, buffer(PICTURE, false, u32::MAX - 5));
        assert_eq!(next(&mut streaming).lost.dropped, 0, "back by six");
    }
}
