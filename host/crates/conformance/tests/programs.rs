//! Tests of the checks that need tools, as far as this machine has them: a correct server passes, and faults are found.
#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[allow(dead_code, reason = "the other faults are for the other tests")]
mod faulty;

use faulty::{Fault, start};
use hotshoe_conformance::{Check, Requirements, checks};

/// Returns the checks that need tools and can run on this machine.
fn available_checks() -> Vec<Check> {
    let checks = checks().into_iter().filter(|check| check.requirements != Requirements::NONE);
    checks
        .filter(|check| match check.requirements.missing() {
            Some(missing) => {
                eprintln!("skipped, needs {missing}: {}: {}", check.client, check.description);
                false
            }
            None => true,
        })
        .collect()
}

#[test]
fn a_correct_server_passes() {
    let target = start(Fault::None);
    for check in available_checks() {
        assert_eq!((check.run)(&target), Ok(()), "{}: {}", check.client, check.description);
    }
}

/// For each fault, a check that must fail and a text that its error must contain.
const EXPECTED: [(Fault, &str, &str); 9] = [
    (Fault::TruncatedSnapshot, "curl: saves a snapshot", "no FF D9"),
    (Fault::TruncatedSnapshot, "OctoPrint: ", "not a complete JPEG"),
    (Fault::TruncatedSnapshot, "Home Assistant: requests both", "not a complete JPEG"),
    (Fault::NoPartLength, "curl: saves two seconds", "Content-Length"),
    (Fault::NoPartLength, "requests: ", "Content-Length"),
    (Fault::NoPartLength, "Chromium: fetch()", "Content-Length"),
    (Fault::PartsAreText, "ffmpeg: decodes", "ffmpeg"),
    (Fault::Preamble, "ffmpeg: detects", "ffmpeg"),
    (Fault::Stalls, "Home Assistant: proxies", "ten seconds"),
];

#[test]
fn faults_are_found() {
    std::thread::scope(|scope| {
        for (fault, text, expected) in EXPECTED {
            let matches = |check: &Check| format!("{}: {}", check.client, check.description).starts_with(text);
            let check = checks().into_iter().find(matches).unwrap_or_else(|| panic!("no check starts with {text:?}"));
            if check.requirements.missing().is_some() {
                continue;
            }
            scope.spawn(move || {
                let error = (check.run)(&start(fault)).expect_err(&format!("{fault:?}: {text}"));
                assert!(error.contains(expected), "{fault:?}: {text}: {error}");
            });
        }
    });
}
