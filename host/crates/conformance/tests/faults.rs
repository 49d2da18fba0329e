//! Tests of the checks that need no tools: a correct server passes, and each fault fails the checks of the clients that
//! it breaks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod faulty;

use std::process::ExitCode;

use faulty::{Fault, start};
use hotshoe_conformance::{Category, Check, Requirements, Target, awkward_frames, checks, jpeg};
use libtest_mimic::{Arguments, Trial};

/// The number of tests that run at the same time. Most of them wait for a timeout.
const TEST_THREADS: usize = 16;

macro_rules! trials {
    ($($name:ident),* $(,)?) => { vec![$(Trial::test(stringify!($name), || { $name(); Ok(()) })),*] };
}

fn main() -> ExitCode {
    let trials = trials![
        a_correct_server_passes,
        a_correct_server_without_chunked_coding_passes,
        a_correct_server_with_tiny_chunks_passes,
        a_correct_server_never_pauses_for_long,
        a_correct_server_keeps_no_backlog,
        missing_content_lengths_are_found,
        wrong_content_lengths_are_found,
        delimiters_that_arrive_late_are_found,
        a_preamble_is_found,
        an_undeclared_boundary_is_found,
        header_names_in_lower_case_are_found,
        missing_line_breaks_after_frames_are_found,
        truncated_frames_are_found,
        parts_of_another_type_are_found,
        decreasing_timestamps_are_found,
        a_stream_that_stalls_is_found,
        a_server_that_hangs_is_found,
        chunked_responses_to_http_1_0_are_found,
        chunks_that_split_ff_d8_are_found,
        cacheable_responses_are_found,
        wrong_snapshots_are_found,
        paths_that_ignore_queries_are_found,
        a_backlog_is_found,
        dialects_are_checked,
        all_checks_fail_if_nothing_listens,
        a_target_finds_its_paths,
        awkward_frames_are_complete,
    ];
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TEST_THREADS);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Returns the only check that contains this text.
fn check(text: &str) -> Check {
    let found: Vec<_> = checks()
        .into_iter()
        .filter(|check| format!("{}: {}", check.client, check.description).contains(text))
        .collect();
    assert_eq!(found.len(), 1, "checks that contain {text:?}: {found:?}");
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

/// Each of these checks must fail with an error that contains the second text.
#[track_caller]
fn fails(fault: Fault, checks: &[(&str, &str)]) {
    let target = start(fault);
    for (text, expected) in checks {
        let error = run(text, &target).expect_err(&format!("{fault:?}: {text}"));
        assert!(error.contains(expected), "{fault:?}: {text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

const MAINSAIL: &str = "Mainsail: its worker";
const FIXED: &str = "Mainsail, fixed";
const SCANNER: &str = "Home Assistant scanner";
/// The checks of clients that rely on Content-Length.
const NEED_LENGTH: [&str; 7] =
    ["are exact", MAINSAIL, FIXED, "go2rtc", "Mission Planner", "multipart-stream", "sarxos"];

/// All core checks that need no tools must pass, except slow ones and those of one client.
fn all_pass_except(fault: Fault, except: &str) {
    let target = start(fault);
    let selected = checks().into_iter().filter(|check| {
        let slow = ["pauses for long", "slow reader"].iter().any(|text| check.description.contains(text));
        check.category == Category::Core && check.requirements == Requirements::NONE && !slow && check.client != except
    });
    for check in selected {
        let result = (check.run)(&target);
        assert_eq!(result, Ok(()), "{fault:?}: {}: {}", check.client, check.description);
    }
}

fn a_correct_server_passes() {
    all_pass_except(Fault::None, "");
}

fn a_correct_server_without_chunked_coding_passes() {
    all_pass_except(Fault::NotChunked, "");
}

fn a_correct_server_with_tiny_chunks_passes() {
    // Mainsail misses an FF D8 that is split between two chunks.
    all_pass_except(Fault::TinyChunks, "Mainsail");
}

fn a_correct_server_never_pauses_for_long() {
    passes(Fault::None, &["pauses for long"]);
}

fn a_correct_server_keeps_no_backlog() {
    passes(Fault::None, &["slow reader"]);
}

fn missing_content_lengths_are_found() {
    let expected: Vec<_> = NEED_LENGTH.iter().map(|check| (*check, "ength")).collect();
    fails(Fault::NoPartLength, &expected);
    passes(Fault::NoPartLength, &[SCANNER]);
}

fn wrong_content_lengths_are_found() {
    fails(
        Fault::ShortPartLength,
        &[
            ("are exact", "no FF D9"),
            (MAINSAIL, "no FF D9"),
            (FIXED, "no FF D9"),
            ("go2rtc", "wrong boundary"),
            ("multipart-stream", "bad boundary"),
            ("sarxos", "no FF D9"),
        ],
    );
    passes(Fault::ShortPartLength, &[SCANNER]);
}

fn delimiters_that_arrive_late_are_found() {
    fails(Fault::LateDelimiter, &[("delimiter after a part", "after its image")]);
    // Apart from the delay, the stream is valid.
    passes(Fault::LateDelimiter, &NEED_LENGTH);
}

fn a_preamble_is_found() {
    fails(
        Fault::Preamble,
        &[
            ("are exact", "at the start of the body"),
            ("go2rtc", "wrong boundary"),
            ("multipart-stream", "bad boundary"),
        ],
    );
    passes(Fault::Preamble, &[MAINSAIL, "Mission Planner", "sarxos"]);
}

fn an_undeclared_boundary_is_found() {
    fails(
        Fault::UndeclaredBoundary,
        &[("are exact", "no boundary"), ("multipart-stream", "no boundary"), ("HEAD for the stream", "no boundary")],
    );
    passes(Fault::UndeclaredBoundary, &["go2rtc"]);
}

fn header_names_in_lower_case_are_found() {
    fails(Fault::LowerCase, &[("Mission Planner", "spelled"), ("sarxos", "Content-Length")]);
    passes(Fault::LowerCase, &["are exact", MAINSAIL, "go2rtc", "multipart-stream"]);
}

fn missing_line_breaks_after_frames_are_found() {
    fails(Fault::NoLineBreakAfterFrame, &[("are exact", "after an image")]);
    // These clients support such servers, or ignore what follows the frame.
    passes(Fault::NoLineBreakAfterFrame, &["go2rtc", "multipart-stream", "sarxos", MAINSAIL]);
}

fn truncated_frames_are_found() {
    let expected: Vec<_> = NEED_LENGTH.iter().map(|check| (*check, "FF D9")).collect();
    fails(Fault::TruncatedFrames, &expected);
}

fn parts_of_another_type_are_found() {
    fails(Fault::PartsAreText, &[("are exact", "text/plain")]);
}

fn decreasing_timestamps_are_found() {
    fails(Fault::DecreasingTimestamps, &[("are exact", "X-Timestamp")]);
}

fn a_stream_that_stalls_is_found() {
    std::thread::scope(|scope| {
        for check in ["are exact", "pauses for long", "go2rtc", SCANNER] {
            scope.spawn(move || fails(Fault::Stalls, &[(check, "nothing more came")]));
        }
    });
}

fn a_server_that_hangs_is_found() {
    std::thread::scope(|scope| {
        for check in ["the snapshot is", "polls twenty", "HEAD for the stream", "OPTIONS"] {
            scope.spawn(move || fails(Fault::Hangs, &[(check, "nothing more came")]));
        }
    });
}

fn chunked_responses_to_http_1_0_are_found() {
    fails(Fault::ChunkedHttp10, &[("HTTP/1.0: the stream", "chunked")]);
}

fn chunks_that_split_ff_d8_are_found() {
    fails(Fault::SplitMarkers, &[(MAINSAIL, "")]);
    passes(Fault::SplitMarkers, &[FIXED, "are exact", "sarxos", SCANNER]);
}

fn cacheable_responses_are_found() {
    fails(Fault::Cacheable, &[("the stream must not be cached", "no-store"), ("the snapshot is", "no-store")]);
}

fn wrong_snapshots_are_found() {
    fails(Fault::TruncatedSnapshot, &[("the snapshot is", "no FF D9"), ("polls twenty", "no FF D9")]);
    fails(Fault::SlowSnapshot, &[("polls twenty", "fps")]);
    fails(
        Fault::HeadHasBody,
        &[("HEAD for the snapshot", "unexpected bytes"), ("HEAD for the stream", "unexpected bytes")],
    );
}

fn paths_that_ignore_queries_are_found() {
    fails(Fault::ExactPaths, &[("unknown query parameters", "404"), ("polls twenty", "404"), (MAINSAIL, "404")]);
}

fn a_backlog_is_found() {
    fails(Fault::KeepsBacklog, &[("slow reader", "s old")]);
}

fn dialects_are_checked() {
    let target = start(Fault::Dialects);
    for check in checks().into_iter().filter(|check| check.category == Category::Dialect) {
        assert_eq!((check.run)(&target), Ok(()), "{}: {}", check.client, check.description);
    }
    fails(Fault::LateAdvanceHeaders, &[("advance_headers", "after the image")]);
    fails(Fault::TextInState, &[("/state is JSON", "not a number")]);
    fails(Fault::OtherBoundary, &[("/stream uses the boundary", "not boundarydonotcross")]);
    fails(Fault::None, &[("advance_headers", "404"), ("/state is JSON", "404"), ("key=", "404")]);
}

fn all_checks_fail_if_nothing_listens() {
    let target = Target::new("127.0.0.1:1");
    for check in checks().into_iter().filter(|check| check.requirements == Requirements::NONE) {
        let error = (check.run)(&target).unwrap_err();
        assert!(error.contains("cannot connect"), "{}: {error}", check.description);
    }
}

fn a_target_finds_its_paths() {
    let server = start(Fault::None);
    let found = Target::find(&server.url("/"), None, None).unwrap();
    assert_eq!((found.stream.as_str(), found.snapshot.as_str()), ("/video_feed", "/snapshot"));
}

fn awkward_frames_are_complete() {
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
