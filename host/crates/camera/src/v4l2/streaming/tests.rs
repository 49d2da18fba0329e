use super::*;
use crate::dimensions::Dimensions;
use crate::fourcc::FourCc;
use crate::orientation::Orientation;
use crate::raw::MAX_PLANES;
use crate::source::ImageData;
use crate::stall::MIN_STALL_TIMEOUT;
use crate::v4l2::device::Format;
use crate::v4l2::negotiate::NegotiatedMode;
use crate::v4l2::scripted::{Operation, ScriptedCamera, ScriptedSystem, Step};

const NODE: &str = "/dev/video0";
const PICTURE: &[u8] = include_bytes!("../../../../../../frames/1.jpg");

/// An open webcam with this format.
fn streaming(system: &ScriptedSystem, code: &[u8; 4]) -> Streaming {
    streaming_with(system, code, false)
}

fn streaming_with(system: &ScriptedSystem, code: &[u8; 4], allow_truncated: bool) -> Streaming {
    limited_streaming(system, code, allow_truncated, None)
}

fn limited_streaming(system: &ScriptedSystem, code: &[u8; 4], allow_truncated: bool, limit: Option<f64>) -> Streaming {
    system.plug(NODE, ScriptedCamera::webcam("Cam"));
    let system: Arc<dyn System> = Arc::new(system.clone());
    let device = system.open(NODE.as_ref()).unwrap();
    let dimensions = Dimensions { width: 16, height: 16 };
    let format = Format { code: FourCc(*code), dimensions, strides: [0; MAX_PLANES], full_range: false };
    let mode = StreamMode { dimensions, rate: Some(30.0), format: Some(format.code), quality: None };
    let extractor = ImageExtractor::new(
        &NegotiatedMode { format, mode },
        80,
        allow_truncated,
        None,
        Orientation::default(),
        Arc::default(),
    )
    .unwrap();
    let stream = device.start(DEFAULT_BUFFERS).unwrap();
    Streaming::new(system, NODE.into(), (stream, DEFAULT_BUFFERS), mode, extractor, RateLimit::new(limit))
}

fn next(streaming: &mut Streaming) -> CaptureOutcome {
    streaming.next(Instant::now()).unwrap()
}

fn buffer(bytes: &[u8], is_flagged: bool, dropped: u32) -> Step {
    Step::Buffer { planes: [bytes.to_vec(), vec![], vec![]], is_flagged, dropped }
}

#[test]
fn the_newest_of_several_buffers_is_used_and_all_are_queued_again() {
    let system = ScriptedSystem::default();
    let mut streaming = streaming(&system, b"MJPG");
    for round in 0..10 {
        for _ in 0..3 {
            system.push_step(NODE, Step::buffer(PICTURE));
        }
        let outcome = next(&mut streaming);
        assert!(outcome.image.is_some(), "round {round}: the driver has no buffer left");
        assert_eq!(outcome.lost, LostFrames { late: 2, ..LostFrames::default() });
        assert_eq!(system.pending_steps(NODE), 0);
    }
}

#[test]
fn frames_above_the_limit_are_skipped_unchecked_and_are_not_lost() {
    let system = ScriptedSystem::default();
    let mut streaming = limited_streaming(&system, b"MJPG", false, Some(0.001));
    assert_eq!(streaming.mode().unwrap().rate, Some(0.001));
    // A damaged frame is replaced by the next one.
    system.push_step(NODE, Step::buffer(b""));
    system.push_step(NODE, Step::buffer(PICTURE));
    let outcome = next(&mut streaming);
    assert!(outcome.image.is_some());
    assert_eq!(outcome.lost, LostFrames { empty: 1, ..LostFrames::default() });
    for round in 0..10 {
        system.push_step(NODE, Step::buffer(PICTURE));
        system.push_step(NODE, Step::buffer(b"not a picture"));
        let outcome = next(&mut streaming);
        assert!(outcome.image.is_none(), "round {round}");
        assert_eq!(outcome.lost, LostFrames::default());
        assert_eq!(system.pending_steps(NODE), 0, "round {round}: the driver has no buffer left");
    }
}

#[test]
fn lost_frames_are_counted_by_cause() {
    let system = ScriptedSystem::default();
    let mut streaming = streaming(&system, b"MJPG");
    let mut corrupt = PICTURE.to_vec();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 64].iter_mut().zip(0..).for_each(|(byte, index)| *byte ^= 0x5a_u8.wrapping_add(index * 3));
    for (step, lost) in [
        (buffer(PICTURE, true, 0), LostFrames { flagged: 1, ..LostFrames::default() }),
        (buffer(b"", false, 0), LostFrames { empty: 1, ..LostFrames::default() }),
        (buffer(&PICTURE[..PICTURE.len() / 2], false, 0), LostFrames { malformed: 1, ..LostFrames::default() }),
        (buffer(&corrupt, false, 0), LostFrames { corrupt: 1, ..LostFrames::default() }),
    ] {
        system.push_step(NODE, step);
        let outcome = next(&mut streaming);
        assert!(outcome.image.is_none());
        assert_eq!(outcome.lost, lost);
    }
    system.push_step(NODE, buffer(PICTURE, false, 7));
    let outcome = next(&mut streaming);
    assert!(outcome.image.is_some());
    assert_eq!(outcome.lost, LostFrames { dropped: 7, ..LostFrames::default() });
}

#[test]
fn a_complete_image_is_used_although_the_next_one_is_damaged() {
    let system = ScriptedSystem::default();
    let mut streaming = streaming(&system, b"MJPG");
    system.push_step(NODE, Step::buffer(PICTURE));
    system.push_step(NODE, buffer(b"", false, 0));
    let outcome = next(&mut streaming);
    assert!(outcome.image.is_some());
    assert_eq!(outcome.lost, LostFrames { empty: 1, ..LostFrames::default() });
}

#[test]
fn a_missing_end_marker_is_added_if_allowed() {
    let endless = &PICTURE[..PICTURE.len() - 2];
    let system = ScriptedSystem::default();
    let mut strict = streaming(&system, b"MJPG");
    system.push_step(NODE, Step::buffer(endless));
    assert_eq!(next(&mut strict).lost, LostFrames { malformed: 1, ..LostFrames::default() });
    let system = ScriptedSystem::default();
    let mut lenient = streaming_with(&system, b"MJPG", true);
    system.push_step(NODE, Step::buffer(endless));
    let Some(CapturedImage { data: ImageData::Jpeg(picture), .. }) = next(&mut lenient).image else {
        panic!("no image")
    };
    assert_eq!(picture.bytes, PICTURE);
    // An image that lacks more is still rejected.
    system.push_step(NODE, Step::buffer(&PICTURE[..PICTURE.len() / 2]));
    assert_eq!(next(&mut lenient).lost, LostFrames { corrupt: 1, ..LostFrames::default() });
}

#[test]
fn an_image_that_starts_late_or_twice_is_used_from_its_last_start() {
    let system = ScriptedSystem::default();
    let mut streaming = streaming(&system, b"MJPG");
    for before in [&b"\0\0\0\0"[..], &PICTURE[..300], &PICTURE[..PICTURE.len() / 2]] {
        system.push_step(NODE, Step::buffer(&[before, PICTURE].concat()));
        let Some(CapturedImage { data: ImageData::Jpeg(picture), .. }) = next(&mut streaming).image else {
            panic!("no image")
        };
        assert_eq!(picture.bytes, PICTURE);
    }
}

#[test]
fn a_few_empty_dequeues_are_tolerated_but_not_many() {
    let system = ScriptedSystem::default();
    let mut streaming = streaming(&system, b"MJPG");
    let harmless = [Step::Nothing, Step::Error(Errno::IO.raw_os_error()), Step::Nothing];
    for step in harmless {
        system.push_step(NODE, step);
        assert!(next(&mut streaming).image.is_none());
    }
    system.push_step(NODE, Step::buffer(PICTURE));
    assert!(next(&mut streaming).image.is_some());
    for _ in 0..MAX_EMPTY_DEQUEUES {
        system.push_step(NODE, Step::Error(Errno::IO.raw_os_error()));
        assert!(next(&mut streaming).image.is_none());
    }
    system.push_step(NODE, Step::Error(Errno::IO.raw_os_error()));
    let error = streaming.next(Instant::now()).unwrap_err();
    assert!(matches!(error, SourceError::Device { step: "stream", .. }), "{error}");
    assert!(error.to_string().contains("Input/output error"), "{error}");
}

#[test]
fn unplugging_is_reported_at_once_even_while_an_image_is_processed() {
    let system = ScriptedSystem::default();
    let mut streaming = streaming(&system, b"MJPG");
    system.push_step(NODE, Step::buffer(PICTURE));
    system.fail(NODE, Operation::Queue, Errno::NODEV.raw_os_error(), 1);
    assert!(matches!(streaming.next(Instant::now()), Err(SourceError::Gone { .. })));
    system.unplug(NODE);
    assert!(matches!(streaming.next(Instant::now()), Err(SourceError::Gone { .. })));
    drop(streaming);
    assert_eq!(system.open_nodes(), 0);
}

#[test]
fn a_camera_stalls_without_images_or_with_only_damaged_ones() {
    let system = ScriptedSystem::default();
    let mut streaming = streaming(&system, b"MJPG");
    streaming.stall_timeout = Duration::from_millis(20);
    let error = std::iter::repeat_with(|| streaming.next(Instant::now())).find_map(Result::err).unwrap();
    assert!(matches!(error, SourceError::Stalled { damaged: 0, .. }), "{error}");
    streaming.last_image = Instant::now();
    let error = std::iter::repeat_with(|| {
        system.push_step(NODE, buffer(b"", false, 0));
        streaming.next(Instant::now())
    });
    let error = error.into_iter().find_map(Result::err).unwrap();
    assert!(matches!(error, SourceError::Stalled { damaged: 1.., .. }), "{error}");
}

#[test]
fn the_stall_timeout_grows_with_the_frame_interval() {
    let system = ScriptedSystem::default();
    let streaming = streaming(&system, b"MJPG");
    let with_rate = |rate| {
        let mode = StreamMode { rate: Some(rate), ..streaming.mode };
        let stream = system.open(NODE.as_ref()).unwrap().start(DEFAULT_BUFFERS).unwrap();
        let extractor = ImageExtractor::new(
            &NegotiatedMode {
                format: Format {
                    code: FourCc(*b"MJPG"),
                    dimensions: mode.dimensions,
                    strides: [0; MAX_PLANES],
                    full_range: false,
                },
                mode,
            },
            80,
            false,
            None,
            Orientation::default(),
            Arc::default(),
        );
        Streaming::new(
            Arc::new(system.clone()),
            NODE.into(),
            (stream, DEFAULT_BUFFERS),
            mode,
            extractor.unwrap(),
            RateLimit::new(None),
        )
        .stall_timeout
    };
    assert_eq!(with_rate(30.0), MIN_STALL_TIMEOUT);
    assert_eq!(with_rate(0.1), Duration::from_secs(30));
    assert_eq!(with_rate(f64::MIN_POSITIVE), MIN_STALL_TIMEOUT, "more than a Duration holds");
}

#[test]
fn short_raw_images_are_rejected_and_padding_is_removed() {
    let system = ScriptedSystem::default();
    let mut streaming = streaming(&system, b"YUYV");
    system.push_step(NODE, buffer(&[128; 511], false, 0));
    assert_eq!(next(&mut streaming).lost, LostFrames { malformed: 1, ..LostFrames::default() });
    system.push_step(NODE, buffer(&[128; 600], false, 0));
    let Some(CapturedImage { data: ImageData::Raw(raw), .. }) = next(&mut streaming).image else { panic!("no image") };
    assert_eq!(raw.bytes.len(), 512);
}

#[test]
fn a_sequence_number_that_wraps_or_restarts_is_not_a_loss() {
    let system = ScriptedSystem::default();
    let mut streaming = streaming(&system, b"MJPG");
    system.push_step(NODE, buffer(PICTURE, false, u32::MAX));
    assert_eq!(next(&mut streaming).lost.dropped, 0);
    system.push_step(NODE, Step::buffer(PICTURE));
    assert_eq!(next(&mut streaming).lost.dropped, 0, "0 follows the largest");
    system.push_step(NODE, buffer(PICTURE, false, u32::MAX - 5));
    assert_eq!(next(&mut streaming).lost.dropped, 0, "back by six");
}
