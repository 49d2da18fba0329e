//! A server that is right passes, and every fault is seen by the clients that it harms.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod faulty;

use std::process::ExitCode;

use faulty::{Fault, start};
use hotshoe_conformance::{Category, Check, Needs, Target, awkward_frames, checks, jpeg};
use libtest_mimic::{Arguments, Trial};

/// Nearly all that they do is wait, for what does not come.
const AT_ONCE: usize = 16;

macro_rules! trials {
    ($($name:ident),* $(,)?) => { vec![$(Trial::test(stringify!($name), || { $name(); Ok(()) })),*] };
}

fn main() -> ExitCode {
    let trials = trials![
        a_right_server_passes,
        a_right_server_without_chunks_passes,
        a_right_server_with_tiny_chunks_passes,
        a_right_server_is_never_silent,
        a_right_server_keeps_no_backlog,
        parts_without_length,
        parts_with_a_wrong_length,
        boundary_with_the_next_frame,
        text_before_the_first_boundary,
        no_boundary_told,
        names_in_lower_case,
        no_line_break_after_a_frame,
        frames_without_their_end,
        parts_of_another_kind,
        time_that_runs_back,
        a_stream_that_stalls,
        a_server_that_hangs,
        chunks_for_an_old_client,
        chunks_that_split_the_marker,
        what_caches_may_keep,
        snapshots,
        paths_with_a_query,
        a_backlog,
        dialects,
        nobody_listens,
        a_target_finds_its_paths,
        awkward_frames_are_whole,
    ];
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Rows that need no program, by the text that tells them apart.
fn check(text: &str) -> Check {
    let found: Vec<_> =
        checks().into_iter().filter(|check| format!("{}: {}", check.client, check.what).contains(text)).collect();
    assert_eq!(found.len(), 1, "{text:?} is {found:?}");
    found[0]
}

fn run(text: &str, target: &Target) -> Result<(), String> {
    (check(text).run)(target)
}

#[track_caller]
fn passes(fault: Fault, texts: &[&str]) {
    let target = start(fault);
    for text in texts {
        run(text, &target).unwrap_or_else(|error| panic!("{fault:?}: {text}: {error}"));
    }
}

/// Each row must fail and say what it saw.
#[track_caller]
fn fails(fault: Fault, rows: &[(&str, &str)]) {
    let target = start(fault);
    for (text, said) in rows {
        let error = run(text, &target).expect_err(&format!("{fault:?}: {text}"));
        assert!(error.contains(said), "{fault:?}: {text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

const MAINSAIL: &str = "Mainsail: its worker";
const MENDED: &str = "Mainsail, mended";
const SCAN: &str = "Home Assistant's scan";
/// Those that go by the length of parts.
const BY_LENGTH: [&str; 7] = ["are exact", MAINSAIL, MENDED, "go2rtc", "Mission Planner", "multipart-stream", "sarxos"];

/// All rows that need no program, but for those that take long.
fn pass_but(fault: Fault, except: &str) {
    let target = start(fault);
    let rows = checks().into_iter().filter(|check| {
        let slow = ["silent for long", "slow reader"].iter().any(|text| check.what.contains(text));
        check.category == Category::Core && check.needs == Needs::NOTHING && !slow && check.client != except
    });
    for check in rows {
        let result = (check.run)(&target);
        assert_eq!(result, Ok(()), "{fault:?}: {}: {}", check.client, check.what);
    }
}

fn a_right_server_passes() {
    pass_but(Fault::None, "");
}

fn a_right_server_without_chunks_passes() {
    pass_but(Fault::NotChunked, "");
}

fn a_right_server_with_tiny_chunks_passes() {
    // They may end within the marker that it looks for.
    pass_but(Fault::TinyChunks, "Mainsail");
}

fn a_right_server_is_never_silent() {
    passes(Fault::None, &["silent for long"]);
}

fn a_right_server_keeps_no_backlog() {
    passes(Fault::None, &["slow reader"]);
}

fn parts_without_length() {
    let rows: Vec<_> = BY_LENGTH.iter().map(|row| (*row, "ength")).collect();
    fails(Fault::NoPartLength, &rows);
    passes(Fault::NoPartLength, &[SCAN]);
}

fn parts_with_a_wrong_length() {
    fails(
        Fault::ShortPartLength,
        &[
            ("are exact", "no FF D9"),
            (MAINSAIL, "no FF D9"),
            (MENDED, "no FF D9"),
            ("go2rtc", "wrong boundary"),
            ("multipart-stream", "bad boundary"),
            ("sarxos", "no FF D9"),
        ],
    );
    passes(Fault::ShortPartLength, &[SCAN]);
}

fn boundary_with_the_next_frame() {
    fails(Fault::LateBoundary, &[("what ends a part", "after its picture")]);
    // It is valid, if late.
    passes(Fault::LateBoundary, &BY_LENGTH);
}

fn text_before_the_first_boundary() {
    fails(
        Fault::Preamble,
        &[("are exact", "at the body's start"), ("go2rtc", "wrong boundary"), ("multipart-stream", "bad boundary")],
    );
    passes(Fault::Preamble, &[MAINSAIL, "Mission Planner", "sarxos"]);
}

fn no_boundary_told() {
    fails(
        Fault::NoBoundaryTold,
        &[("are exact", "no boundary"), ("multipart-stream", "no boundary"), ("HEAD on the stream", "no boundary")],
    );
    passes(Fault::NoBoundaryTold, &["go2rtc"]);
}

fn names_in_lower_case() {
    fails(Fault::LowerCase, &[("Mission Planner", "so written"), ("sarxos", "Content-Length")]);
    passes(Fault::LowerCase, &["are exact", MAINSAIL, "go2rtc", "multipart-stream"]);
}

fn no_line_break_after_a_frame() {
    fails(Fault::NoLineBreakAfterFrame, &[("are exact", "after a picture")]);
    // They were made for such servers, or look for nothing there.
    passes(Fault::NoLineBreakAfterFrame, &["go2rtc", "multipart-stream", "sarxos", MAINSAIL]);
}

fn frames_without_their_end() {
    let rows: Vec<_> = BY_LENGTH.iter().map(|row| (*row, "FF D9")).collect();
    fails(Fault::FramesWithoutEnd, &rows);
}

fn parts_of_another_kind() {
    fails(Fault::PartsAreText, &[("are exact", "text/plain")]);
}

fn time_that_runs_back() {
    fails(Fault::TimeRunsBack, &[("are exact", "X-Timestamp")]);
}

fn a_stream_that_stalls() {
    std::thread::scope(|scope| {
        scope.spawn(|| fails(Fault::Stalls, &[("are exact", "nothing more came")]));
        scope.spawn(|| fails(Fault::Stalls, &[("silent for long", "nothing more came")]));
        scope.spawn(|| fails(Fault::Stalls, &[("go2rtc", "nothing more came")]));
        scope.spawn(|| fails(Fault::Stalls, &[(SCAN, "nothing more came")]));
    });
}

fn a_server_that_hangs() {
    std::thread::scope(|scope| {
        for row in ["a snapshot is one", "polls twenty", "HEAD on the stream", "OPTIONS"] {
            scope.spawn(move || fails(Fault::Hangs, &[(row, "nothing more came")]));
        }
    });
}

fn chunks_for_an_old_client() {
    fails(Fault::ChunksForOld, &[("HTTP/1.0: a stream", "chunked")]);
}

fn chunks_that_split_the_marker() {
    fails(Fault::SplitsMarkers, &[(MAINSAIL, "")]);
    passes(Fault::SplitsMarkers, &[MENDED, "are exact", "sarxos", SCAN]);
}

fn what_caches_may_keep() {
    fails(Fault::Keepable, &[("may keep the stream", "no-store"), ("a snapshot is one", "no-store")]);
}

fn snapshots() {
    fails(Fault::SnapshotTooShort, &[("a snapshot is one", "no FF D9"), ("polls twenty", "no FF D9")]);
    fails(Fault::SnapshotSlow, &[("polls twenty", "a second")]);
    fails(
        Fault::HeadHasBody,
        &[("HEAD on the snapshot", "where none belong"), ("HEAD on the stream", "where none belong")],
    );
}

fn paths_with_a_query() {
    fails(
        Fault::ExactPaths,
        &[("parameters that it does not know", "404"), ("polls twenty", "404"), (MAINSAIL, "404")],
    );
}

fn a_backlog() {
    fails(Fault::KeepsBacklog, &[("slow reader", "s old")]);
}

fn dialects() {
    let target = start(Fault::Dialects);
    for check in checks().into_iter().filter(|check| check.category == Category::Dialect) {
        assert_eq!((check.run)(&target), Ok(()), "{}: {}", check.client, check.what);
    }
    fails(Fault::LateAdvance, &[("advance_headers", "after the picture")]);
    fails(Fault::StateOfText, &[("/state is JSON", "not a number")]);
    fails(Fault::OtherBoundary, &[("/stream has the boundary", "not boundarydonotcross")]);
    fails(Fault::None, &[("advance_headers", "404"), ("/state is JSON", "404"), ("key=", "404")]);
}

fn nobody_listens() {
    let target = Target::new("127.0.0.1:1");
    for check in checks().into_iter().filter(|check| check.needs == Needs::NOTHING) {
        let error = (check.run)(&target).unwrap_err();
        assert!(error.contains("cannot connect"), "{}: {error}", check.what);
    }
}

fn a_target_finds_its_paths() {
    let right = start(Fault::None);
    let found = Target::find(&right.url("/"), None, None).unwrap();
    assert_eq!((found.stream.as_str(), found.snapshot.as_str()), ("/video_feed", "/snapshot"));
}

fn awkward_frames_are_whole() {
    let base = include_bytes!("frames/1.jpg");
    let size = jpeg::size(base).unwrap();
    let frames = awkward_frames(base).unwrap();
    for (name, frame) in &frames {
        assert_eq!(jpeg::size(frame), Ok(size), "{name}");
    }
    let length = |name| frames.iter().find(|(found, _)| *found == name).unwrap().1.len();
    assert!(length("6-large") > 300_000);
    assert!(length("7-tiny") < 1000);
    assert_eq!(length("5-odd") % 2, 1);
    assert!(awkward_frames(b"GIF89a").is_err());
}
