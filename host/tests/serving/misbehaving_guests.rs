//! A guest for each misbehaviour: it loses its instance and that one response, and the host goes on.

use std::time::Instant;

use hotshoe_test_support::client::{get, try_request};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

struct Trial {
    server: Server,
    _folder: tempfile::TempDir,
}

/// Serve by a guest that misbehaves in this way.
fn serve(misbehave: &str) -> Trial {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), misbehave);
    let guest = guest.to_str().unwrap();
    let server = Server::start(&[
        "--camera",
        "emulated,fps=50",
        "--guest",
        guest,
        "--answer-timeout",
        "1",
        "--guest-memory",
        "8",
    ]);
    Trial { server, _folder: folder }
}

impl Trial {
    /// The guest must get this status, and this must be in the log with the request's name.
    #[track_caller]
    fn answers(&self, status: u16, logged: &str) {
        for round in 1..=3 {
            let reply = get(self.server.address, "/bad?secret=1");
            assert_eq!(reply.status, status);
            let line = self.server.wait_for_logs(logged, round);
            assert!(line.contains("WARN") && line.contains("GET /bad: "), "{line}");
            assert!(!line.contains("secret"), "queries may hold secrets: {line}");
            self.still_serves();
        }
    }

    /// The guest's answer must begin, and break off, and this must be in the log with the request's name.
    #[track_caller]
    fn breaks_off(&self, logged: &str) {
        for round in 1..=2 {
            let (reply, rest) = try_request(self.server.address, "GET", "/bad");
            assert_eq!((reply.status, reply.body.starts_with(b"begun\n")), (200, true));
            assert!(rest.is_err(), "a response that looks whole is worse than none");
            let line = self.server.wait_for_logs(logged, round);
            assert!(line.contains("WARN") && line.contains("GET /bad: "), "{line}");
            self.still_serves();
        }
    }

    #[track_caller]
    fn still_serves(&self) {
        assert_eq!(get(self.server.address, "/ok").text(), "ok\n");
    }
}

#[test]
fn one_that_traps_gets_502() {
    serve(guests::TRAPS).answers(502, "the guest trapped: wasm trap: wasm `unreachable` instruction executed");
}

#[test]
fn one_that_traps_in_mid_stream_is_cut_off() {
    serve(guests::TRAPS_IN_MID_STREAM).breaks_off("the response was cut off: the guest trapped");
}

#[test]
fn one_that_traps_before_anything_was_sent_gets_502() {
    serve(guests::TRAPS_AT_ONCE_AFTER_BEGINNING).answers(502, "the guest trapped");
}

#[test]
fn one_that_never_answers_gets_504() {
    serve(guests::NEVER_ANSWERS).answers(504, "did not start its response within 1 seconds");
}

#[test]
fn one_that_returns_without_an_answer_gets_502() {
    serve(guests::RETURNS_WITHOUT_ANSWER).answers(502, "the guest returned without a response");
}

#[test]
fn one_that_spins_gets_504_and_does_not_hold_up_others() {
    let trial = serve(guests::SPINS);
    let address = trial.server.address;
    // More than there are threads to run them on.
    let spinning: Vec<_> = (0..8).map(|_| std::thread::spawn(move || get(address, "/bad").status)).collect();
    let begun = Instant::now();
    while begun.elapsed().as_millis() < 500 {
        trial.still_serves();
    }
    for status in spinning {
        assert_eq!(status.join().unwrap(), 504);
    }
    trial.server.wait_for_log("GET /bad: 504");
}

#[test]
fn one_that_spins_in_mid_stream_is_cut_off() {
    serve(guests::SPINS_IN_MID_STREAM)
        .breaks_off("the response was cut off: the guest computed for 2 seconds without waiting");
}

#[test]
fn one_that_hoards_memory_gets_no_more_than_its_limit() {
    let trial = serve(guests::HOARDS_MEMORY);
    trial.answers(502, "the guest trapped");
    let before = trial.server.memory_kib();
    for _ in 0..50 {
        get(trial.server.address, "/bad");
    }
    let grown = trial.server.memory_kib().saturating_sub(before);
    assert!(grown < 16 << 10, "50 times 8 MiB were taken, and {grown} KiB are still held");
}

#[test]
fn one_that_recurses_gets_502() {
    serve(guests::RECURSES).answers(502, "call stack exhausted");
}

#[test]
fn one_that_leaks_handles_gets_502() {
    serve(guests::LEAKS_HANDLES).answers(502, "the guest trapped");
}

#[test]
fn one_that_leaks_frames_is_given_no_more() {
    let trial = serve(guests::LEAKS_FRAMES);
    assert_eq!(get(trial.server.address, "/bad").text(), "full\n");
    trial.still_serves();
}

#[test]
fn one_that_writes_unasked_is_cut_off() {
    let trial = serve(guests::WRITES_UNASKED);
    let (_, rest) = try_request(trial.server.address, "GET", "/bad");
    assert!(rest.is_err());
    trial.server.wait_for_log("the response was cut off: the guest trapped");
    trial.still_serves();
}

#[test]
fn one_that_breaks_its_answer_off_is_cut_off() {
    // The last bytes and the breaking off come at once.
    serve(guests::BREAKS_OFF).breaks_off("the guest did not finish its response");
}

#[test]
fn one_that_leaves_its_answer_unfinished_is_cut_off() {
    serve(guests::LEAVES_UNFINISHED).breaks_off("the guest did not finish its response");
}
