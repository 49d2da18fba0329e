//! Real programs, where they are there: a right server satisfies them, and they see what is wrong with others.
#![allow(clippy::expect_used, reason = "a test says what is wrong by panicking")]

#[allow(dead_code, reason = "the other tests use the other faults")]
mod faulty;

use faulty::{Fault, start};
use hotshoe_conformance::{Check, Needs, checks};

/// Rows that need a program, if this machine has it.
fn rows() -> Vec<Check> {
    let rows = checks().into_iter().filter(|check| check.needs != Needs::NOTHING);
    rows.filter(|check| match check.needs.missing() {
        Some(missing) => {
            eprintln!("not tried, for want of {missing}: {}: {}", check.client, check.what);
            false
        }
        None => true,
    })
    .collect()
}

#[test]
fn a_right_server_passes() {
    let target = start(Fault::None);
    for check in rows() {
        assert_eq!((check.run)(&target), Ok(()), "{}: {}", check.client, check.what);
    }
}

/// Which row must fail for which fault, and what it must say.
const SEEN: [(Fault, &str, &str); 9] = [
    (Fault::SnapshotTooShort, "curl: saves a snapshot", "no FF D9"),
    (Fault::SnapshotTooShort, "OctoPrint: ", "no whole JPEG"),
    (Fault::SnapshotTooShort, "Home Assistant: setting up", "no whole JPEG"),
    (Fault::NoPartLength, "curl: saves two seconds", "Content-Length"),
    (Fault::NoPartLength, "requests: ", "Content-Length"),
    (Fault::NoPartLength, "Chromium: fetch()", "Content-Length"),
    (Fault::PartsAreText, "ffmpeg: decodes", "ffmpeg"),
    (Fault::Preamble, "ffmpeg: finds out", "ffmpeg"),
    (Fault::Stalls, "Home Assistant: passes", "ten seconds"),
];

#[test]
fn wrong_servers_fail() {
    std::thread::scope(|scope| {
        for (fault, text, said) in SEEN {
            let check = |check: &Check| format!("{}: {}", check.client, check.what).starts_with(text);
            let Some(check) = rows().into_iter().find(check) else { continue };
            scope.spawn(move || {
                let error = (check.run)(&start(fault)).expect_err(&format!("{fault:?}: {text}"));
                assert!(error.contains(said), "{fault:?}: {text}: {error}");
            });
        }
    });
}
