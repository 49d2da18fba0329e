//! A guest that sends a request and responds with what it received.

use std::path::{Path, PathBuf};

use hotshoe_test_support::guests;

const IMPORTS: &str = r#"
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $outgoing (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-method"
    (func $set_method (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-scheme"
    (func $set_scheme (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority"
    (func $set_authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-path-with-query"
    (func $set_path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.body" (func $request_body (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[constructor]request-options" (func $options (result i32)))
  (import "wasi:http/types@0.2.12" "[method]request-options.set-first-byte-timeout"
    (func $set_first_byte (param i32 i32 i64) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]request-options.set-between-bytes-timeout"
    (func $set_between_bytes (param i32 i32 i64) (result i32)))
  (import "wasi:http/outgoing-handler@0.2.12" "handle" (func $send (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]future-incoming-response.subscribe"
    (func $responded (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]future-incoming-response.get" (func $get_response (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]future-incoming-response" (func $drop_future (param i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-response.status" (func $status (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]incoming-response" (func $drop_incoming (param i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-response.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-body.stream" (func $body_stream (param i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
"#;

/// Functions that create and send the request of the constants, and respond.
const FUNCTIONS: &str = r#"
  (func $new_request (result i32)
    (local $request i32)
    (local.set $request (call $outgoing (call $fields)))
    (drop (call $set_method (local.get $request) (global.get $method) (i32.const 0) (i32.const 0)))
    (drop (call $set_scheme (local.get $request) (i32.const 1) (global.get $scheme) (i32.const 0) (i32.const 0)))
    (drop (call $set_authority (local.get $request) (i32.const 1) (i32.const 2048) (global.get $authority_length)))
    (drop (call $set_path (local.get $request) (i32.const 1) (i32.const 2176) (global.get $path_length)))
    (local.get $request))

  ;; Sends a request. Returns the future, or traps if the host refuses at once.
  (func $send_request (param $request i32) (result i32)
    (local $options i32)
    (local.set $options (call $options))
    (drop (call $set_first_byte (local.get $options) (i32.const 1) (i64.const 500000000)))
    (drop (call $set_between_bytes (local.get $options) (i32.const 1) (i64.const 500000000)))
    (call $send (local.get $request) (i32.const 1) (local.get $options) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (i32.load (i32.const 264)))

  ;; Waits for the response. Returns it, or -1, with the error code at 280.
  (func $wait (param $future i32) (result i32)
    (local $pollable i32)
    (local.set $pollable (call $responded (local.get $future)))
    (call $block (local.get $pollable))
    (call $drop_pollable (local.get $pollable))
    (call $get_response (local.get $future) (i32.const 256))
    (if (result i32) (i32.load8_u (i32.const 272)) (then (i32.const -1)) (else (i32.load (i32.const 280)))))

  ;; Writes a number in three digits.
  (func $write_number (param $stream i32) (param $number i32)
    (i32.store8 (i32.const 300) (i32.add (i32.const 48) (i32.div_u (local.get $number) (i32.const 100))))
    (i32.store8 (i32.const 301)
      (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $number) (i32.const 10)) (i32.const 10))))
    (i32.store8 (i32.const 302) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
    (call $write_bytes (local.get $stream) (i32.const 300) (i32.const 3)))

  (data (i32.const 1400) " failed")
  (data (i32.const 1420) "error ")

  ;; Responds with the status and the body of a response, or with the error code.
  (func $relay (param $out i32) (param $response i32)
    (local $stream i32) (local $body i32) (local $code i32)
    (if (i32.eq (local.get $response) (i32.const -1))
      (then
        (local.set $code (i32.load8_u (i32.const 280)))
        (local.set $stream (call $start (local.get $out)))
        (call $write_bytes (local.get $stream) (i32.const 1420) (i32.const 6))
        (call $write_number (local.get $stream) (local.get $code))
        (call $end (local.get $stream))
        (return)))
    (local.set $stream (call $start (local.get $out)))
    (call $write_number (local.get $stream) (call $status (local.get $response)))
    (call $consume (local.get $response) (i32.const 256))
    (call $body_stream (i32.load (i32.const 260)) (i32.const 256))
    (local.set $body (i32.load (i32.const 260)))
    (loop $again
      (global.set $top (i32.const 8192))
      (call $read (local.get $body) (i64.const 4096) (i32.const 256))
      (if (i32.eqz (i32.load8_u (i32.const 256)))
        (then
          (call $write_bytes (local.get $stream) (i32.load (i32.const 260)) (i32.load (i32.const 264)))
          (br $again))))
    (if (i32.eqz (i32.load8_u (i32.const 260)))
      (then (call $write_bytes (local.get $stream) (i32.const 1400) (i32.const 7))))
    (call $end (local.get $stream)))
"#;

/// Sends a GET request, and responds with the status, directly followed by the body, and by ` failed` if that fails. If
/// there is no response, responds with `error` and the number of the error code.
pub const RELAYS: &str = r#"(func $misbehave (param $out i32)
  (call $relay (local.get $out) (call $wait (call $send_request (call $new_request)))))"#;

/// Like [`RELAYS`], with a POST request that has the body `begun`.
pub const POSTS: &str = r#"(func $misbehave (param $out i32)
  (local $request i32) (local $body i32) (local $stream i32) (local $future i32)
  (local.set $request (call $new_request))
  (call $request_body (local.get $request) (i32.const 256))
  (local.set $body (i32.load (i32.const 260)))
  (call $body_write (local.get $body) (i32.const 256))
  (local.set $stream (i32.load (i32.const 260)))
  (local.set $future (call $send_request (local.get $request)))
  (call $write_bytes (local.get $stream) (i32.const 32) (i32.const 5))
  (call $drop_stream (local.get $stream))
  (call $body_finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 256))
  (call $relay (local.get $out) (call $wait (local.get $future))))"#;

/// Sends requests forever, and waits for each response. Without options, because wasmtime-wasi-http 48 keeps those of
/// each request until the instance ends.
pub const SENDS_IN_A_LOOP: &str = r#"(func $misbehave (param $out i32)
  (local $future i32) (local $response i32)
  (loop $again
    (call $send (call $new_request) (i32.const 0) (i32.const 0) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (local.set $future (i32.load (i32.const 264)))
    (local.set $response (call $wait (local.get $future)))
    (if (i32.ne (local.get $response) (i32.const -1)) (then (call $drop_incoming (local.get $response))))
    (call $drop_future (local.get $future))
    (br $again)))"#;

/// Sends requests without waiting for their responses, until one is refused at once or the instance has too many
/// resources.
pub const SENDS_AND_FORGETS: &str = r#"(func $misbehave (param $out i32)
  (loop $again
    (drop (call $send_request (call $new_request)))
    (br $again)))"#;

/// Sends ten requests at once. Responds with the number of the error code of the tenth.
pub const SENDS_TEN_AT_ONCE: &str = r#"(func $misbehave (param $out i32)
  (local $left i32)
  (local.set $left (i32.const 9))
  (loop $again
    (drop (call $send_request (call $new_request)))
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (call $relay (local.get $out) (call $wait (call $send_request (call $new_request)))))"#;

/// Writes a guest to `folder` that sends requests to `url`, as `function` says.
pub fn write(folder: &Path, url: &str, function: &str) -> PathBuf {
    let path = folder.join("guest.wasm");
    std::fs::write(&path, component(url, function)).unwrap();
    path
}

/// Like [`write`], but the guest sends requests only for `/loop`. Other requests join a channel, to which it pushes
/// `part` fifty times a second.
pub fn write_publishing(folder: &Path, url: &str, function: &str) -> PathBuf {
    let other = format!("{} {FUNCTIONS} {}", constants(url, function), function.replace("$misbehave", "$other"));
    let path = folder.join("guest.wasm");
    std::fs::write(&path, guests::publishing_and(IMPORTS, "c", guests::PUBLISHES, "part", &other)).unwrap();
    path
}

fn component(url: &str, function: &str) -> Vec<u8> {
    guests::importing(IMPORTS, &format!("{} {FUNCTIONS} {function}", constants(url, function)))
}

/// The scheme, method, authority and path of the request.
fn constants(url: &str, function: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    let scheme = u32::from(scheme == "https");
    let method = if function == POSTS { 2 } else { 0 };
    format!(
        r#"(global $scheme i32 (i32.const {scheme})) (global $method i32 (i32.const {method}))
        (global $authority_length i32 (i32.const {})) (global $path_length i32 (i32.const {}))
        (data (i32.const 2048) "{authority}") (data (i32.const 2176) "{path}")"#,
        authority.len(),
        path.len()
    )
}
