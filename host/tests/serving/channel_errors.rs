//! Errors of channels that guests can handle.

use hotshoe_test_support::client::{Viewer, get, try_request};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

/// Joins a channel with a body whose stream was taken. Responds with the index of the error code.
fn joining_with_a_body_in_use(drop_stream_first: bool) -> String {
    let drop_stream = "(call $drop_stream (local.get $stream))";
    let (before, after) = if drop_stream_first { (drop_stream, "") } else { ("", drop_stream) };
    format!(
        r#"(func $misbehave (param $out i32)
          (local $response i32) (local $body i32) (local $stream i32)
          (local.set $response (call $response (call $fields)))
          (call $response_body (local.get $response) (i32.const 256))
          (local.set $body (i32.load (i32.const 260)))
          (call $body_write (local.get $body) (i32.const 256))
          (local.set $stream (i32.load (i32.const 260)))
          {before}
          (call $join (local.get $body) (i32.const 80) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (f64.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
          (if (i32.eqz (i32.load8_u (i32.const 256))) (then unreachable))
          (i32.store8 (i32.const 300) (i32.add (i32.const 48) (i32.load8_u (i32.const 264))))
          {after}
          (call $drop_response (local.get $response))
          (local.set $stream (call $start (local.get $out)))
          (call $write_bytes (local.get $stream) (i32.const 300) (i32.const 1))
          (call $end (local.get $stream)))"#
    )
}

#[test]
fn a_body_whose_stream_was_taken_cannot_join() {
    let server = Server::start(&CAMERA);
    for drop_stream_first in [true, false] {
        server.put_guest(&guests::serving(&joining_with_a_body_in_use(drop_stream_first)));
        let reply = get(server.address, "/bad");
        assert_eq!((reply.status, reply.text().as_str()), (200, "5"), "drop_stream_first: {drop_stream_first}");
    }
}

/// Joins a channel with a body whose stream was taken, responds with that body, and returns without dropping the
/// stream. Before it returns, it executes `last`.
fn responding_with_a_rejected_body(last: &str) -> String {
    format!(
        r#"(func $misbehave (param $out i32)
          (local $response i32) (local $stream i32)
          (local.set $response (call $response (call $fields)))
          (call $response_body (local.get $response) (i32.const 256))
          (global.set $body (i32.load (i32.const 260)))
          (call $body_write (global.get $body) (i32.const 256))
          (local.set $stream (i32.load (i32.const 260)))
          (call $join (global.get $body) (i32.const 80) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (f64.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
          (if (i32.ne (i32.load8_u (i32.const 264)) (i32.const 5)) (then unreachable))
          (call $set (local.get $out) (i32.const 0) (local.get $response)
            (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
          {last})"#
    )
}

#[test]
fn a_body_that_cannot_join_is_an_unfinished_response() {
    let server = Server::start(&CAMERA);
    server.put_guest(&guests::serving(&responding_with_a_rejected_body("")));
    assert_eq!(get(server.address, "/bad").status, 502);
    server.wait_for_log("GET /bad: 502, the guest did not finish its response");
    let writes = "(call $write_bytes (local.get $stream) (i32.const 32) (i32.const 6)) (call $pause (i64.const 50))";
    server.put_guest(&guests::serving(&responding_with_a_rejected_body(writes)));
    let (reply, rest) = try_request(server.address, "GET", "/bad");
    assert_eq!((reply.status, reply.text().as_str()), (200, "begun\n"));
    assert!(rest.is_err(), "the client must not take the response for complete");
    server.wait_for_log("GET /bad: the response was cut off: the guest did not finish its response");
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}

/// Joins channels with an opening and a closing of these lengths, by this function with these arguments. Responds with
/// the text of the error `other`.
fn joining_with_options(join: &str, channels: &str, opening: u32, closing: u32) -> String {
    format!(
        r#"(func $other (param $out i32)
          (local $response i32) (local $stream i32) (local $text i32) (local $length i32)
          (drop (memory.grow (i32.const 2)))
          (i32.store (i32.const 1800) (i32.const 1024))
          (i32.store (i32.const 1804) (i32.const 1))
          (local.set $response (call $response (call $fields)))
          (call $response_body (local.get $response) (i32.const 256))
          (call {join} (i32.load (i32.const 260)) {channels} (i32.const 8192) (i32.const {opening})
            (i32.const 8192) (i32.const {closing})
            (i32.const 0) (f64.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
          (if (i32.eqz (i32.load8_u (i32.const 256))) (then unreachable))
          (if (i32.ne (i32.load8_u (i32.const 264)) (i32.const 7)) (then unreachable))
          (call $drop_response (local.get $response))
          (local.set $text (i32.load (i32.const 272)))
          (local.set $length (i32.load (i32.const 276)))
          (local.set $stream (call $start (local.get $out)))
          (call $write_bytes (local.get $stream) (local.get $text) (local.get $length))
          (call $end (local.get $stream)))"#
    )
}

#[test]
fn an_opening_and_a_closing_that_are_too_long_are_an_error() {
    let join_all = r#"(import "hotshoe:server/channels@0.2.0" "join-all"
      (func $join_all (param i32 i32 i32 i32 i32 i32 i32 i32 f64 i32 i32 i32)))"#;
    let server = Server::start(&CAMERA);
    // The name of the channel is at address 1024, and a list of one name at 1800.
    for (join, channels) in
        [("$join", "(i32.const 1024) (i32.const 1)"), ("$join_all", "(i32.const 1800) (i32.const 1)")]
    {
        for (opening, closing) in [(65_537, 0), (0, 65_537), (65_536, 1)] {
            let other = joining_with_options(join, channels, opening, closing);
            let guest = guests::publishing_and(join_all, "c", guests::PUBLISHES, "part", &other);
            server.put_guest(&guest);
            let reply = get(server.address, "/long");
            assert_eq!(
                (reply.status, reply.text().as_str()),
                (200, "the opening and the closing of the viewer exceed 64 KiB"),
                "{join} {opening} {closing}"
            );
        }
    }
}

#[test]
fn a_part_that_is_too_large_is_an_error_and_the_publisher_continues() {
    let publish = "(func $publish (param $channel i32)
      (drop (memory.grow (i32.const 80)))
      (call $push (local.get $channel) (i32.const 0) (i32.const 4194304) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 1) (i32.const 256))
      (if (i32.ne (i32.load8_u (i32.const 264)) (i32.const 6)) (then unreachable))
      (if (i64.ne (i64.load (i32.const 272)) (i64.const 4194304)) (then unreachable))
      (loop $again (call $push_part (local.get $channel)) (call $pause (i64.const 20)) (br $again)))";
    let server = Server::start(&CAMERA);
    server.put_guest(&guests::publishing("c", publish, "part"));
    assert_eq!(Viewer::watch(server.address, "/bad").chunk(), b"opening\npart");
}
