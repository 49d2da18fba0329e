//! Filters between a camera and its readers. Frames are white as captured, and black once they are filtered.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hotshoe_camera::filter::{Filter, OpenFilter};
use hotshoe_camera::pixels::{Area, Decoder, Format, Picture, Scale};
use hotshoe_camera::source::{CaptureOutcome, CapturedImage, ImageData, RawImage};
use hotshoe_camera::status::{Outage, OutageCause};
use hotshoe_camera::{
    Camera, Capture, Dimensions, Feed, Frame, JpegImage, Linger, Orientation, Rotation, Source, SourceError, State,
    StreamMode, Timestamp, jpeg, raw,
};

const SIZE: Dimensions = Dimensions { width: 32, height: 16 };

/// Long enough for everything that a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

fn picture(luma: u8) -> Picture {
    let mut picture = Picture::black(SIZE, Format::Luma).unwrap();
    picture.write(Area { left: 0, top: 0, size: SIZE }, &[luma; 32 * 16]).unwrap();
    picture
}

fn is_black(image: &JpegImage) -> bool {
    let picture = Decoder::default().decode(image, Scale::Full, Format::Luma).unwrap();
    picture.pixels().iter().all(|luma| *luma < 10)
}

/// Delivers a white image every few milliseconds.
struct White {
    is_raw: bool,
    orientation: Orientation,
}

impl Source for White {
    fn description(&self) -> String {
        "white".to_owned()
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        let image = picture(255).encode(80).unwrap().turned(self.orientation);
        Ok(Box::new(OpenWhite { image, is_raw: self.is_raw }))
    }
}

struct OpenWhite {
    image: JpegImage,
    is_raw: bool,
}

impl Capture for OpenWhite {
    fn mode(&self) -> Option<StreamMode> {
        Some(StreamMode { dimensions: SIZE, rate: None, format: None, quality: None })
    }

    fn next(&mut self, _deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        sleep(Duration::from_millis(2));
        let layout =
            raw::Layout { format: raw::PixelFormat::Grey, dimensions: SIZE, stride: 0, range: raw::Range::Full };
        let data = if self.is_raw {
            let bytes = vec![255; 32 * 16];
            ImageData::Raw(RawImage { bytes, layout, quality: 80, orientation: Orientation::default() })
        } else {
            ImageData::Jpeg(self.image.clone())
        };
        let image = Some(CapturedImage { data, timestamp: Timestamp::now() });
        Ok(CaptureOutcome { image, ..CaptureOutcome::default() })
    }
}

type Apply = dyn Fn(u32, &Frame) -> Result<Option<JpegImage>, Outage> + Send + Sync;

/// Calls a function with the number of the call.
#[derive(Clone)]
struct Calls(Arc<Apply>, Arc<AtomicU32>);

fn filter(apply: impl Fn(u32, &Frame) -> Result<Option<JpegImage>, Outage> + Send + Sync + 'static) -> Arc<dyn Filter> {
    Arc::new(Calls(Arc::new(apply), Arc::default()))
}

impl Filter for Calls {
    fn description(&self) -> String {
        "test".to_owned()
    }

    fn open(&self) -> Box<dyn OpenFilter> {
        Box::new(self.clone())
    }
}

impl OpenFilter for Calls {
    fn apply(&mut self, frame: &Frame) -> Result<Option<JpegImage>, Outage> {
        (self.0)(self.1.fetch_add(1, Ordering::Relaxed), frame)
    }
}

fn black() -> JpegImage {
    picture(0).encode(80).unwrap()
}

fn outage() -> Outage {
    Outage { cause: OutageCause::Failed, message: "the filter has failed".into() }
}

fn open(source: White, filters: Vec<Arc<dyn Filter>>) -> Arc<Camera> {
    let linger = Linger::For(Duration::ZERO);
    let camera = Arc::new(Camera::new("white".to_owned(), Arc::new(source), linger).with_filters(filters));
    tokio::spawn(camera.clone().supervise());
    camera
}

const JPEG: White = White {
    is_raw: false,
    orientation: Orientation { rotation: Rotation::None, flip_horizontally: false, flip_vertically: false },
};
const RAW: White = White { is_raw: true, ..JPEG };

async fn next(feed: &mut Feed) -> Arc<Frame> {
    feed.next(DEADLINE).await.unwrap()
}

#[tokio::test]
async fn readers_get_only_what_all_filters_return() {
    for source in [JPEG, RAW] {
        let first = filter(|_, _| Ok(Some(picture(128).encode(80).unwrap())));
        let second = filter(|_, frame| {
            // It sees what the first one returns.
            let luma = Decoder::default().decode(&frame.image, Scale::Eighth, Format::Luma).unwrap();
            assert!(luma.pixels().iter().all(|luma| luma.abs_diff(128) < 5));
            Ok(Some(black()))
        });
        let camera = open(source, vec![first, second]);
        let mut feed = camera.feed();
        for _ in 0..20 {
            assert!(is_black(&next(&mut feed).await.image));
        }
        assert_eq!(camera.filters().len(), 2);
    }
}

#[tokio::test]
async fn a_filter_that_fails_drops_frames_and_is_slow_at_random_never_lets_a_frame_through() {
    for source in [JPEG, RAW] {
        let filter = filter(|call, _| match call.wrapping_mul(0x9E37_79B9) >> 29 {
            0 => Err(outage()),
            1 => Ok(None),
            2 => {
                sleep(Duration::from_millis(20));
                Ok(Some(black()))
            }
            _ => Ok(Some(black())),
        });
        let camera = open(source, vec![filter]);
        let mut feed = camera.feed();
        let (mut frames, mut outages, mut last) = (0, 0, None);
        while frames < 200 || outages == 0 {
            match feed.next(Duration::from_millis(50)).await {
                Some(frame) => {
                    assert!(is_black(&frame.image), "a frame was not filtered");
                    assert!(Some(frame.sequence) > last);
                    last = Some(frame.sequence);
                    frames += 1;
                }
                None => {
                    if let State::Lost(found) = camera.status().state {
                        assert_eq!(found, outage());
                        outages += 1;
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_failing_filter_shows_the_placeholder_with_its_reason() {
    let camera = open(JPEG, vec![filter(|_, _| Err(outage()))]);
    let mut feed = camera.feed();
    assert!(feed.next(DEADLINE).await.is_none());
    assert_eq!(camera.status().state, State::Lost(outage()));
    assert!(feed.placeholder().is_some() && feed.newest().is_none());
}

#[tokio::test]
async fn a_filter_that_panics_is_opened_again_and_lets_nothing_through() {
    let camera = open(
        JPEG,
        vec![filter(|call, _| {
            assert_ne!(call, 0, "a bug");
            Ok(Some(black()))
        })],
    );
    let mut feed = camera.feed();
    let frame = loop {
        if let Some(frame) = feed.next(DEADLINE).await {
            break frame;
        }
        assert!(matches!(&camera.status().state, State::Lost(outage) if outage.message.contains("panicked")));
    };
    assert!(is_black(&frame.image));
}

#[tokio::test]
async fn a_slow_filter_lowers_the_rate_and_gets_the_newest_frame() {
    let camera = open(
        JPEG,
        vec![filter(|_, _| {
            sleep(Duration::from_millis(30));
            Ok(Some(black()))
        })],
    );
    let mut feed = camera.feed();
    let first = next(&mut feed).await.sequence;
    for _ in 0..10 {
        next(&mut feed).await;
    }
    let last = next(&mut feed).await.sequence;
    // How many depends on the load of the machine.
    assert!(last - first > 11, "frames were not skipped: {first} to {last}");
    assert!(camera.counts().lost.late > 0, "{}", camera.counts());
    let description = camera.description();
    assert_eq!(description, "white, filtered by test");
    let [report] = &camera.filters()[..] else { panic!("{description}") };
    if report.rate > 0.0 {
        assert!(report.cost >= Duration::from_millis(30) && report.rate < 34.0, "{report:?}");
    }
}

#[tokio::test]
async fn nothing_is_filtered_without_readers() {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = calls.clone();
    let filter = filter(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(Some(black()))
    });
    let camera = Arc::new(Camera::new("white".to_owned(), Arc::new(JPEG), Linger::Always).with_filters(vec![filter]));
    tokio::spawn(camera.clone().supervise());
    let start = Instant::now();
    while camera.status().state != State::Live {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    next(&mut camera.feed()).await;
    assert!(calls.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn a_filter_gets_pixels_as_viewers_see_them_and_what_it_encodes_is_not_turned_again() {
    let turned = Orientation { rotation: Rotation::Quarter, flip_horizontally: true, flip_vertically: false };
    let hides_upper_half = |_, frame: &Frame| {
        let mut picture = Decoder::default().decode(&frame.image, Scale::Full, Format::Luma).unwrap();
        let Dimensions { width, height } = picture.dimensions();
        let half = Dimensions { width, height: height / 2 };
        picture.write(Area { left: 0, top: 0, size: half }, &vec![0; half.pixels()]).unwrap();
        Ok(Some(picture.encode(90).unwrap()))
    };
    let camera = open(White { orientation: turned, ..JPEG }, vec![filter(hides_upper_half)]);
    let frame = next(&mut camera.feed()).await;
    assert_eq!(jpeg::orientation(&frame.image.bytes), None);
    let seen = Decoder::default().decode(&frame.image, Scale::Full, Format::Luma).unwrap();
    assert_eq!(seen.dimensions(), Dimensions { width: SIZE.height, height: SIZE.width });
    let (upper, lower) = seen.pixels().split_at(seen.pixels().len() / 2);
    assert!(upper.iter().all(|luma| *luma < 10) && lower.iter().all(|luma| *luma > 245));

    let passes = open(White { orientation: turned, ..JPEG }, vec![filter(|_, frame| Ok(Some(frame.image.clone())))]);
    let frame = next(&mut passes.feed()).await;
    assert_eq!(jpeg::orientation(&frame.image.bytes), Some(turned), "an image that stays as it is");
}

/// Delivers one white image, and then reports an outage.
struct Fails {
    has_delivered: bool,
    outage: Outage,
    /// Whether the filter has begun with the image.
    has_begun: Arc<AtomicBool>,
}

impl Capture for Fails {
    fn mode(&self) -> Option<StreamMode> {
        OpenWhite { image: black(), is_raw: false }.mode()
    }

    fn next(&mut self, deadline: Instant) -> Result<CaptureOutcome, SourceError> {
        sleep(Duration::from_millis(2));
        if self.has_delivered {
            return Ok(CaptureOutcome::default());
        }
        self.has_delivered = true;
        OpenWhite { image: picture(255).encode(80).unwrap(), is_raw: false }.next(deadline)
    }

    fn outage(&self) -> Option<&Outage> {
        (self.has_delivered && self.has_begun.load(Ordering::Relaxed)).then_some(&self.outage)
    }
}

struct FailingSource(Arc<AtomicBool>);

impl Source for FailingSource {
    fn description(&self) -> String {
        "fails".to_owned()
    }

    fn open(&self) -> Result<Box<dyn Capture>, SourceError> {
        Ok(Box::new(Fails { has_delivered: false, outage: outage(), has_begun: self.0.clone() }))
    }
}

#[tokio::test]
async fn a_frame_that_a_filter_returns_after_an_outage_does_not_hide_the_outage() {
    let (has_begun, may_return) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (begun, returns) = (has_begun.clone(), may_return.clone());
    let slow = filter(move |_, _| {
        begun.store(true, Ordering::Relaxed);
        while !returns.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(1));
        }
        Ok(Some(black()))
    });
    let linger = Linger::For(Duration::ZERO);
    let camera = Camera::new("fails".to_owned(), Arc::new(FailingSource(has_begun)), linger);
    let camera = Arc::new(camera.with_filters(vec![slow]));
    tokio::spawn(camera.clone().supervise());
    let _feed = camera.feed();
    let has_outage = || matches!(camera.status().state, State::Lost(_));
    let started = Instant::now();
    while !has_outage() {
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(started.elapsed() < DEADLINE);
    }
    may_return.store(true, Ordering::Relaxed);
    // The thread needs a moment to pass on the frame.
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(has_outage(), "{:?}", camera.status().state);
    }
}
