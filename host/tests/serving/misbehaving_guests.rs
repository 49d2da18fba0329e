//! Guests that misbehave, each in another way: such a guest loses its instance and one response, and the host
//! continues.

use std::time::Instant;

use hotshoe_test_support::client::{get, try_request};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

struct Setup {
    server: Server,
    _folder: tempfile::TempDir,
}

/// Starts a server whose guest misbehaves in this way at `/bad`, and not at `/ok`.
fn serve(misbehave: &str) -> Setup {
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
    Setup { server, _folder: folder }
}

impl Setup {
    /// The client must receive this status, and the log must contain this text and the name of the request.
    #[track_caller]
    fn responds_with(&self, status: u16, logged: &str) {
        for round in 1..=3 {
            let reply = get(self.server.address, "/bad?secret=1");
            assert_eq!(reply.status, status);
            let line = self.server.wait_for_logs(logged, round);
            assert!(line.contains("WARN") && line.contains("GET /bad: "), "{line}");
            assert!(!line.contains("secret"), "queries may contain secrets: {line}");
            self.still_serves();
        }
    }

    /// The response must start and then be cut off, and the log must contain this text and the name of the request.
    #[track_caller]
    fn is_cut_off(&self, logged: &str) {
        for round in 1..=2 {
            let (reply, rest) = try_request(self.server.address, "GET", "/bad");
            assert_eq!((reply.status, reply.body.starts_with(b"begun\n")), (200, true));
            assert!(rest.is_err(), "the client must not take the response for complete");
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
fn a_trap_becomes_502() {
    serve(guests::TRAPS).responds_with(502, "the guest trapped: wasm trap: wasm `unreachable` instruction executed");
}

#[test]
fn a_trap_in_a_stream_cuts_the_response_off() {
    serve(guests::TRAPS_IN_MID_STREAM).is_cut_off("the response was cut off: the guest trapped");
}

#[test]
fn a_trap_before_anything_was_sent_becomes_502() {
    serve(guests::TRAPS_AT_ONCE_AFTER_BEGINNING).responds_with(502, "the guest trapped");
}

#[test]
fn a_guest_that_never_responds_causes_504() {
    serve(guests::NEVER_ANSWERS).responds_with(504, "did not start its response within 1 seconds");
}

#[test]
fn a_return_without_a_response_becomes_502() {
    serve(guests::RETURNS_WITHOUT_ANSWER).responds_with(502, "the guest returned without a response");
}

#[test]
fn an_infinite_loop_becomes_504_and_does_not_delay_other_requests() {
    let setup = serve(guests::SPINS);
    let address = setup.server.address;
    // More than there are threads that run guests.
    let looping: Vec<_> = (0..8).map(|_| std::thread::spawn(move || get(address, "/bad").status)).collect();
    let started = Instant::now();
    while started.elapsed().as_millis() < 500 {
        setup.still_serves();
    }
    for status in looping {
        assert_eq!(status.join().unwrap(), 504);
    }
    setup.server.wait_for_log("GET /bad: 504");
}

#[test]
fn an_infinite_loop_in_a_stream_cuts_the_response_off() {
    serve(guests::SPINS_IN_MID_STREAM)
        .is_cut_off("the response was cut off: the guest computed for 2 seconds without waiting for anything");
}

#[test]
fn memory_is_limited_and_returns_after_the_request() {
    let setup = serve(guests::HOARDS_MEMORY);
    setup.responds_with(502, "the guest trapped");
    let before = setup.server.memory_kib();
    for _ in 0..50 {
        get(setup.server.address, "/bad");
    }
    let grown = setup.server.memory_kib().saturating_sub(before);
    assert!(grown < 16 << 10, "the guest allocated 50 times 8 MiB, and the server still holds {grown} KiB");
}

#[test]
fn infinite_recursion_becomes_502() {
    serve(guests::RECURSES).responds_with(502, "call stack exhausted");
}

#[test]
fn leaking_handles_becomes_502() {
    serve(guests::LEAKS_HANDLES).responds_with(502, "the guest trapped");
}

#[test]
fn a_guest_that_leaks_frames_receives_no_more() {
    let setup = serve(guests::LEAKS_FRAMES);
    assert_eq!(get(setup.server.address, "/bad").text(), "full\n");
    setup.still_serves();
}

#[test]
fn writing_more_than_permitted_cuts_the_response_off() {
    let setup = serve(guests::WRITES_UNASKED);
    let (_, rest) = try_request(setup.server.address, "GET", "/bad");
    assert!(rest.is_err());
    setup.server.wait_for_log("the response was cut off: the guest trapped");
    setup.still_serves();
}

#[test]
fn printing_more_than_permitted_in_one_call_becomes_502() {
    serve(guests::PRINTS_UNASKED).responds_with(502, "more bytes were written than check-write permits");
}

#[test]
fn dropping_an_unfinished_body_cuts_the_response_off() {
    // The last bytes and the drop arrive together.
    serve(guests::BREAKS_OFF).is_cut_off("the guest did not finish its response");
}

#[test]
fn returning_at_once_with_an_unfinished_body_becomes_502() {
    serve(guests::LEAVES_UNFINISHED_AT_ONCE).responds_with(502, "the guest did not finish its response");
}

#[test]
fn returning_with_an_unfinished_body_cuts_the_response_off() {
    serve(guests::LEAVES_UNFINISHED).is_cut_off("the guest did not finish its response");
}

#[test]
fn the_bodies_of_responses_that_a_guest_holds_are_limited_in_size() {
    // The guest takes a while to write so much on a busy machine.
    let server = Server::start(&["--camera", "emulated", "--answer-timeout", "60"]);
    assert_eq!(server.put_guest(&guests::serving(guests::HOARDS_BODIES)).status, 200);
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    let before = server.peak_memory_kib();
    assert_eq!(get(server.address, "/bad").text(), "ok\n");
    let grown = server.peak_memory_kib() - before;
    // Eight of 4 MiB and 192 of 64 KiB.
    assert!(grown < 96 << 10, "the guest holds 200 responses, for which the server needs {grown} KiB");
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}

/// Functions of both versions of WASI that keep texts, and what creates their requests. The parameters of `request.new`
/// include a future, whose reading end is the lower half of what `$new_future` returns.
const TEXT_IMPORTS: &str = r#"
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-method"
    (func $set_method (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority"
    (func $set_authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.3.0" "[constructor]fields" (func $fields_0_3 (result i32)))
  (import "wasi:http/types@0.3.0" "[future-new-1][static]request.new" (func $new_future (result i64)))
  (import "wasi:http/types@0.3.0" "[static]request.new" (func $new_request (param i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.3.0" "[method]request.set-method"
    (func $set_method_0_3 (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.3.0" "[method]request.set-authority"
    (func $set_authority_0_3 (param i32 i32 i32 i32) (result i32)))
"#;

/// Sets the method and the authority of a request of each version of WASI to texts of 8192 and of 8193 bytes. Responds
/// with 0 for each that the host accepts, and with 1 for each that it refuses.
const SETS_LONG_TEXTS: &str = r#"
  (global $next (mut i32) (i32.const 1024))
  (func $note (param $is_refused i32)
    (i32.store8 (global.get $next) (i32.add (i32.const 48) (local.get $is_refused)))
    (global.set $next (i32.add (global.get $next) (i32.const 1))))
  (func $misbehave (param $out i32)
    (local $request i32) (local $length i32) (local $stream i32)
    (memory.fill (i32.const 8192) (i32.const 0x78) (i32.const 8193))
    (local.set $length (i32.const 8192))
    (loop $again
      (local.set $request (call $request (call $fields)))
      ;; "other" is the tenth method.
      (call $note (call $set_method (local.get $request) (i32.const 9) (i32.const 8192) (local.get $length)))
      (call $note (call $set_authority (local.get $request) (i32.const 1) (i32.const 8192) (local.get $length)))
      (call $new_request (call $fields_0_3) (i32.const 0) (i32.const 0) (i32.wrap_i64 (call $new_future))
        (i32.const 0) (i32.const 0) (i32.const 256))
      (local.set $request (i32.load (i32.const 256)))
      (call $note (call $set_method_0_3 (local.get $request) (i32.const 9) (i32.const 8192) (local.get $length)))
      (call $note (call $set_authority_0_3 (local.get $request) (i32.const 1) (i32.const 8192) (local.get $length)))
      (local.set $length (i32.add (local.get $length) (i32.const 1)))
      (br_if $again (i32.eq (local.get $length) (i32.const 8193))))
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.const 1024) (i32.const 8))
    (call $end (local.get $stream)))
"#;

#[test]
fn methods_and_authorities_of_requests_are_limited() {
    let server = Server::start(&["--camera", "emulated"]);
    assert_eq!(server.put_guest(&guests::importing_http_of_0_3(TEXT_IMPORTS, SETS_LONG_TEXTS)).status, 200);
    let reply = get(server.address, "/bad");
    assert_eq!((reply.status, reply.text().as_str()), (200, "00001111"));
}

#[test]
fn the_body_of_a_request_that_a_guest_leaks_does_not_fail_its_response() {
    let imports = r#"
      (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
      (import "wasi:http/types@0.2.12" "[method]outgoing-request.body" (func $request_body (param i32 i32)))"#;
    let leaks = "(func $misbehave (param $out i32)
      (local $stream i32)
      (call $request_body (call $request (call $fields)) (i32.const 256))
      (local.set $stream (call $start (local.get $out)))
      (call $write_bytes (local.get $stream) (i32.const 16) (i32.const 3))
      (call $end (local.get $stream)))";
    let server = Server::start(&["--camera", "emulated"]);
    assert_eq!(server.put_guest(&guests::importing(imports, leaks)).status, 200);
    let reply = get(server.address, "/bad");
    assert_eq!((reply.status, reply.text().as_str()), (200, "ok\n"));
}

/// hyper would have begun another protocol, or waited for another response.
#[test]
fn an_informational_status_becomes_502() {
    let imports = r#"
      (import "wasi:http/types@0.2.12" "[method]outgoing-response.set-status-code"
        (func $set_status (param i32 i32) (result i32)))"#;
    for status in [100, 101, 199] {
        let responds = format!(
            "(func $misbehave (param $out i32)
              (local $r i32)
              (local.set $r (call $response (call $fields)))
              (drop (call $set_status (local.get $r) (i32.const {status})))
              (call $set (local.get $out) (i32.const 0) (local.get $r)
                (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))"
        );
        let server = Server::start(&["--camera", "emulated"]);
        assert_eq!(server.put_guest(&guests::importing(imports, &responds)).status, 200);
        assert_eq!(get(server.address, "/bad").status, 502);
        server.wait_for_log(&format!("the guest responded with the status {status}, which is not final"));
        assert_eq!(get(server.address, "/ok").text(), "ok\n");
    }
}
