//! What all guests for tests have in common.

use super::encode::ALLOCATOR;

/// Imports, memory, and functions that respond.
const PRELUDE: &str = r#"
  (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
  (import "wasi:http/types@0.2.12" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-response.body" (func $response_body (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-body.write" (func $body_write (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[static]outgoing-body.finish" (func $body_finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[static]response-outparam.set"
    (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.write" (func $write_unasked (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]outgoing-body" (func $drop_body (param i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop_stream (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop_pollable (param i32)))
  (import "hotshoe:camera/cameras@0.2.0" "[static]feed.open" (func $feed_open (param i32 i32 i32)))
  (import "hotshoe:camera/cameras@0.2.0" "[method]feed.blocking-next" (func $feed_next (param i32 i64 i32)))
  (import "hotshoe:camera/frames@0.2.0" "[method]image.info" (func $image_info (param i32 i32)))
  (import "hotshoe:camera/frames@0.2.0" "[method]image.read-via-stream" (func $image_stream (param i32) (result i32)))
  (import "hotshoe:camera/frames@0.2.0" "[resource-drop]image" (func $drop_image (param i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.check-write" (func $check_write (param i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.subscribe" (func $writable (param i32) (result i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.splice" (func $splice (param i32 i32 i64 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]input-stream" (func $drop_input (param i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]incoming-request" (func $drop_request (param i32)))
  (import "hotshoe:server/instances@0.2.0" "allow-reuse" (func $allow_reuse))
  (import "hotshoe:server/generations@0.2.0" "subscribe-replaced" (func $replaced (result i32)))
  (import "hotshoe:server/channels@0.2.0" "join"
    (func $join (param i32 i32 i32 i32 i32 i32 i32 i32 f64 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]outgoing-response" (func $drop_response (param i32)))
  (import "hotshoe:server/channels@0.2.0" "[method]channel.push"
    (func $push (param i32 i32 i32 i32 i32 i32 i32 i32)))

  (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.12" "get-stderr" (func $stderr (result i32)))

  (memory (export "memory") 2)
  (data (i32.const 16) "ok\0a")
  (data (i32.const 32) "begun\0a")
  (data (i32.const 48) "emulated")
  (data (i32.const 64) "full\0a")
  (data (i32.const 80) "/ok")
  (data (i32.const 512) "Content-Type: image/jpeg\0d\0aContent-Length: 0000000\0d\0aX-Timestamp: 0.000000\0d\0a\0d\0a")
  (data (i32.const 640) "\0d\0a--frame\0d\0a")
  (data (i32.const 672) "content-type")
  (data (i32.const 688) "multipart/x-mixed-replace; boundary=frame")

  ;; Imports write results that do not fit into one value to address 256.

  (global $body (mut i32) (i32.const 0))

  (global $is_multipart (mut i32) (i32.const 0))

  ;; Starts a response with status 200. Returns the stream of its body.
  (func $start (param $out i32) (result i32)
    (local $r i32) (local $headers i32)
    (local.set $headers (call $fields))
    (if (global.get $is_multipart)
      (then (call $append (local.get $headers) (i32.const 672) (i32.const 12) (i32.const 688) (i32.const 41)
        (i32.const 256))))
    (local.set $r (call $response (local.get $headers)))
    (call $response_body (local.get $r) (i32.const 256))
    (global.set $body (i32.load (i32.const 260)))
    (call $set (local.get $out) (i32.const 0) (local.get $r)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $body_write (global.get $body) (i32.const 256))
    (i32.load (i32.const 260)))

  (func $write_bytes (param $stream i32) (param $at i32) (param $length i32)
    (call $write (local.get $stream) (local.get $at) (local.get $length) (i32.const 256)))

  (func $pause (param $milliseconds i64)
    (local $timer i32)
    (local.set $timer (call $timer (i64.mul (local.get $milliseconds) (i64.const 1000000))))
    (call $block (local.get $timer))
    (call $drop_pollable (local.get $timer)))

  ;; Starts a response, and waits until the client has received the start.
  (func $start_and_wait (param $out i32) (result i32)
    (local $stream i32)
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.const 32) (i32.const 6))
    (call $pause (i64.const 50))
    (local.get $stream))

  ;; Completes a response.
  (func $end (param $stream i32)
    (call $drop_stream (local.get $stream))
    (call $body_finish (global.get $body) (i32.const 0) (i32.const 0) (i32.const 256)))

  ;; Responds with an error (`DNS-timeout`, the first error code).
  (func $refuse (param $out i32)
    (call $set (local.get $out) (i32.const 1) (i32.const 0)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))

  ;; Whether the request is for /ok, or for / if the guest responds to that.
  (func $is_ok (param $request i32) (result i32)
    (local $at i32)
    (call $path (local.get $request) (i32.const 256))
    (local.set $at (i32.load (i32.const 260)))
    (if (result i32) (i32.eq (i32.load (i32.const 264)) (i32.const 1))
      (then (global.get $answers_index))
      (else (i32.and
        (i32.eq (i32.load (i32.const 264)) (i32.const 3))
        (i32.eq (i32.load8_u offset=1 (local.get $at)) (i32.const 0x6f))))))

  (func (export "wasi:http/incoming-handler@0.2.12#handle") (param $request i32) (param $out i32)
    (local $stream i32) (local $is_ok i32)
    (local.set $is_ok (call $is_ok (local.get $request)))
    (call $drop_request (local.get $request))
    (if (local.get $is_ok)
      (then
        (local.set $stream (call $start (local.get $out)))
        (call $write_bytes (local.get $stream) (i32.const 16) (i32.const 3))
        (call $end (local.get $stream)))
      (else (call $misbehave (local.get $out)))))
"#;

/// Returns a core module made of the prelude and `rest`, which responds to `/` properly or not.
pub(super) fn module(rest: &str, answers_index: bool) -> String {
    module_with("", rest, answers_index)
}

/// Like [`module`], with additional imports before those of the prelude.
pub(super) fn module_with(imports: &str, rest: &str, answers_index: bool) -> String {
    let answers_index = i32::from(answers_index);
    format!("(module {imports} {PRELUDE} {ALLOCATOR} (global $answers_index i32 (i32.const {answers_index})) {rest})")
}
