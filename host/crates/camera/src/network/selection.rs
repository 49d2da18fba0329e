//! Selects the newest whole picture of those that arrive, and counts the others.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tracing::debug;

use super::pictures::Picture;
use crate::dimensions::Dimensions;
use crate::frame::{JpegImage, Timestamp};
use crate::frame_counts::LostFrames;
use crate::frame_sampling::FrameSampling;
use crate::image_checker::ImageChecker;
use crate::jpeg::{self, JpegError, Options};
use crate::source::{CaptureOutcome, CapturedImage, ImageData};
use crate::status::Outage;
use crate::stream_mode::StreamMode;

/// How far a number may be ahead of the one before. Enough for the frames of a day at 120 fps, which a relay between
/// this host and the camera may have missed. A number that is farther ahead is of another count, or made up.
const MAX_GAP: u64 = 24 * 60 * 60 * 120;

/// The pictures of one opening of a camera. Holds at most one of them.
pub(super) struct Selection {
    /// For messages.
    address: String,
    checker: ImageChecker,
    options: Options,
    rate: Option<f64>,
    mode: Option<StreamMode>,
    /// The newest picture, unless it was taken or something newer arrived that is to be shown instead.
    newest: Option<Candidate>,
    /// Whether the last picture that arrived is whole, as far as it was checked.
    is_last_whole: bool,
    /// Frames lost that no outcome has reported.
    lost: LostFrames,
    /// Frames lost since the last image that outcomes have reported.
    lost_since: LostFrames,
    /// The server's number of the last image that was taken.
    number: Option<u64>,
    /// The same, unless it is too far ahead of the one before.
    sequence: Option<u64>,
    outage: Option<Outage>,
}

/// A picture that looks whole. Its data was not checked.
struct Candidate {
    image: JpegImage,
    timestamp: Timestamp,
    /// The server's number.
    number: Option<u64>,
}

impl Selection {
    /// Starts an opening of the camera to which `sampling` belongs.
    pub(super) fn new(
        address: String,
        options: Options,
        rate: Option<f64>,
        sampling: Arc<Mutex<FrameSampling>>,
    ) -> Self {
        Self {
            address,
            checker: ImageChecker::new(options, sampling),
            options,
            rate,
            mode: None,
            newest: None,
            is_last_whole: false,
            lost: LostFrames::default(),
            lost_since: LostFrames::default(),
            number: None,
            sequence: None,
            outage: None,
        }
    }

    /// The mode, which is known with the first picture.
    pub(super) fn mode(&self) -> Option<StreamMode> {
        self.mode
    }

    /// Why the server has no picture.
    pub(super) fn outage(&self) -> Option<&Outage> {
        self.outage.as_ref()
    }

    /// The server's number of the last image that was taken, if it is credible.
    pub(super) fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// How many damaged pictures arrived since the last image was taken.
    pub(super) fn damaged(&self) -> u64 {
        self.lost_since.damaged()
    }

    /// Whether the server has no newer picture than a whole one that was taken: the same damaged picture again is no
    /// sign of life.
    pub(super) fn is_whole_again(&self) -> bool {
        self.is_last_whole && self.newest.is_none()
    }

    /// Adds a picture, which replaces the one before if it looks whole: that costs only a search for its end. Its data
    /// is checked when it is taken.
    ///
    /// Returns whether it shows without that check that the server works: it is a placeholder, or the image that was
    /// taken last.
    pub(super) fn add(&mut self, Picture { body, metadata }: Picture) -> bool {
        // A placeholder, which may have the number of the last frame.
        if metadata.outage.is_some() {
            self.outage = metadata.outage;
            self.lost.late += u64::from(self.newest.take().is_some());
            if self.mode.is_none() {
                // The server's placeholders have the size of the camera's pictures.
                let size = jpeg::validate(&body, self.options).ok().map(|info| info.dimensions);
                self.mode = size.map(|size| self.mode_of(size));
            }
            return true;
        }
        // A slow camera's frame that the server sends again.
        if self.outage.is_none() && metadata.sequence.is_some() && metadata.sequence == self.number {
            return true;
        }
        match self.complete(&body) {
            Ok(image) => {
                self.is_last_whole = true;
                let (timestamp, number) = (metadata.timestamp(), metadata.sequence);
                let replaced = self.newest.replace(Candidate { image, timestamp, number });
                let is_same = |old: &Candidate| old.number.is_some() && old.number == number;
                self.lost.late += u64::from(replaced.is_some_and(|old| !is_same(&old)));
            }
            Err(error) => {
                debug!("{}: dropped a picture: {error}", self.address);
                self.is_last_whole = false;
                *(if error == JpegError::Empty { &mut self.lost.empty } else { &mut self.lost.malformed }) += 1;
            }
        }
        false
    }

    /// Takes the newest picture, unless its data is damaged, and the frames lost before it.
    pub(super) fn take(&mut self) -> CaptureOutcome {
        let newest = self.newest.take().filter(|newest| match self.checker.check_data(&newest.image) {
            Ok(()) => true,
            Err(error) => {
                debug!("{}: dropped a picture: {error}", self.address);
                self.is_last_whole = false;
                self.lost.corrupt += 1;
                false
            }
        });
        let mut lost = std::mem::take(&mut self.lost);
        let Some(Candidate { image, timestamp, number }) = newest else {
            self.lost_since += lost;
            return CaptureOutcome { image: None, lost };
        };
        self.sequence = number.filter(|this| this.saturating_sub(self.number.unwrap_or(*this)) <= MAX_GAP);
        // The server's numbers count what it did not send as well.
        if let (Some(last), Some(this)) = (self.number, self.sequence) {
            let counted = self.lost_since.total() + lost.total();
            lost.dropped = this.saturating_sub(last).saturating_sub(1).saturating_sub(counted);
        }
        // Also if it is not credible: if the next one follows it, the server counts anew.
        self.number = number;
        self.lost_since = LostFrames::default();
        self.outage = None;
        self.mode = Some(self.mode_of(image.dimensions));
        CaptureOutcome { image: Some(CapturedImage { data: ImageData::Jpeg(image), timestamp }), lost }
    }

    fn mode_of(&self, dimensions: Dimensions) -> StreamMode {
        StreamMode { dimensions, rate: self.rate, format: None, quality: None }
    }

    fn complete(&self, body: &Bytes) -> Result<JpegImage, JpegError> {
        let (image, _) = jpeg::find_image(body, self.options).inspect_err(|_| self.checker.note_damage())?;
        self.checker.complete(body.slice_ref(image))
    }
}

#[cfg(test)]
mod tests {
    use super::super::metadata::Metadata;
    use super::*;
    use crate::emulated::EMBEDDED;

    fn selection() -> Selection {
        Selection::new("test".to_owned(), Options::default(), None, Arc::default())
    }

    /// A picture with this header, or without.
    fn picture(body: &'static [u8], header: Option<(&str, &'static str)>) -> Picture {
        let metadata = Metadata::read(|name| header.filter(|(found, _)| *found == name).map(|(_, value)| value));
        Picture { body: Bytes::from_static(body), metadata }
    }

    fn numbered(body: &'static [u8], number: &'static str) -> Picture {
        picture(body, Some(("x-sequence", number)))
    }

    /// Takes the newest picture, which is one of the embedded ones, and returns its index.
    fn taken(selection: &mut Selection) -> (Option<usize>, LostFrames) {
        let CaptureOutcome { image, lost } = selection.take();
        let index = image.map(|image| match image.data {
            ImageData::Jpeg(image) => EMBEDDED.iter().position(|jpeg| *jpeg == &image.bytes[..]).unwrap(),
            ImageData::Raw(_) => panic!("the image is raw"),
        });
        (index, lost)
    }

    #[test]
    fn the_newest_whole_picture_is_taken_and_the_others_are_counted() {
        let mut selection = selection();
        let cut = &EMBEDDED[2][..EMBEDDED[2].len() / 2];
        for body in [EMBEDDED[0], b"", EMBEDDED[1], cut, b"", b"no image"] {
            assert!(!selection.add(picture(body, None)));
        }
        assert!(!selection.is_whole_again());
        assert_eq!(
            taken(&mut selection),
            (Some(1), LostFrames { late: 1, empty: 2, malformed: 2, ..Default::default() })
        );
        assert_eq!(taken(&mut selection), (None, LostFrames::default()));
        assert!(!selection.is_whole_again(), "the last picture was damaged");
        selection.add(picture(EMBEDDED[0], None));
        assert!(!selection.is_whole_again(), "its data was not checked");
        assert_eq!(taken(&mut selection).0, Some(0));
        assert!(selection.is_whole_again());
    }

    #[test]
    fn a_placeholder_replaces_the_pictures_before_it_only() {
        let mut selection = selection();
        let placeholder = || picture(EMBEDDED[1], Some(("x-online", "false")));
        selection.add(picture(EMBEDDED[0], None));
        assert!(selection.add(placeholder()));
        assert!(selection.mode().is_some());
        assert_eq!(taken(&mut selection), (None, LostFrames { late: 1, ..Default::default() }));
        assert!(selection.outage().is_some());
        selection.add(placeholder());
        selection.add(picture(EMBEDDED[0], None));
        assert_eq!(taken(&mut selection), (Some(0), LostFrames::default()));
        assert_eq!(selection.outage(), None);
    }

    #[test]
    fn a_frame_that_is_sent_again_counts_once() {
        let mut selection = selection();
        selection.add(numbered(EMBEDDED[0], "7"));
        selection.add(numbered(EMBEDDED[0], "7"));
        assert_eq!(taken(&mut selection), (Some(0), LostFrames::default()));
        assert!(selection.add(numbered(EMBEDDED[0], "7")));
        assert_eq!(taken(&mut selection), (None, LostFrames::default()));
        // Also if it was the last one before an outage, which has withdrawn it.
        selection.add(picture(EMBEDDED[1], Some(("x-online", "false"))));
        assert!(!selection.add(numbered(EMBEDDED[0], "7")));
        assert_eq!(taken(&mut selection), (Some(0), LostFrames::default()));
        selection.add(numbered(b"", "8"));
        selection.add(numbered(EMBEDDED[2], "11"));
        let lost = LostFrames { dropped: 2, empty: 1, ..Default::default() };
        assert_eq!(taken(&mut selection), (Some(2), lost));
        assert_eq!(selection.sequence(), Some(11));
    }

    /// Takes a picture with this number. Returns the number that is believed, and how many dropped frames it shows.
    fn take_numbered(selection: &mut Selection, number: &'static str) -> (Option<u64>, u64) {
        selection.add(numbered(EMBEDDED[0], number));
        let (index, lost) = taken(selection);
        assert_eq!(index, Some(0));
        (selection.sequence(), lost.total())
    }

    #[test]
    fn numbers_that_jump_far_ahead_are_not_believed() {
        let mut selection = selection();
        assert_eq!(take_numbered(&mut selection, "0"), (Some(0), 0));
        for _ in 0..3 {
            assert_eq!(take_numbered(&mut selection, "9007199254740991"), (None, 0));
            assert!(selection.add(numbered(EMBEDDED[0], "9007199254740991")), "it is sent again");
            assert_eq!(take_numbered(&mut selection, "0"), (Some(0), 0));
        }
        // A day at 120 fps.
        assert_eq!(take_numbered(&mut selection, "10368000"), (Some(10_368_000), 10_367_999));
        assert_eq!(take_numbered(&mut selection, "20736001"), (None, 0));
        // The server counts anew.
        assert_eq!(take_numbered(&mut selection, "20736003"), (Some(20_736_003), 1));
    }
}
