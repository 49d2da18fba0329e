//! Guests for tests, most of which misbehave, in WebAssembly text format.
//!
//! Each is a core module for a world in `wit/`. It consists of `PRELUDE`, which imports functions and responds to
//! requests, and a function `misbehave`. This file converts the module to a component, so no test needs the target
//! `wasm32-wasip2`. All guests respond properly to `/ok`, which shows that the host has survived, and to `/`, without
//! which they would be refused.

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

use super::server::run;
use super::workspace;

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

  ;; Allocates memory for the values that the host passes in. Nothing is freed: no guest here serves many requests with
  ;; long paths.
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (local.get $at))

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

/// Traps before it responds.
pub const TRAPS: &str = "(func $misbehave (param $out i32) unreachable)";

/// Traps after it has started to respond.
pub const TRAPS_IN_MID_STREAM: &str = r#"(func $misbehave (param $out i32)
  (drop (call $start_and_wait (local.get $out)))
  unreachable)"#;

/// Traps after it has started to respond, without waiting, so that nothing was sent yet.
pub const TRAPS_AT_ONCE_AFTER_BEGINNING: &str = r#"(func $misbehave (param $out i32)
  (call $write_bytes (call $start (local.get $out)) (i32.const 32) (i32.const 6))
  unreachable)"#;

/// Waits for an hour before it responds.
pub const NEVER_ANSWERS: &str =
    "(func $misbehave (param $out i32) (call $block (call $timer (i64.const 3600000000000))))";

/// Responds after a second and a half.
pub const SLOW: &str = r#"(func $misbehave (param $out i32)
  (local $stream i32)
  (call $block (call $timer (i64.const 1500000000)))
  (local.set $stream (call $start (local.get $out)))
  (call $write_bytes (local.get $stream) (i32.const 16) (i32.const 3))
  (call $end (local.get $stream)))"#;

/// Returns without a response.
pub const RETURNS_WITHOUT_ANSWER: &str = "(func $misbehave (param $out i32))";

/// Prints ten thousand lines before it responds.
pub const PRINTS: &str = r#"(func $misbehave (param $out i32)
  (local $stream i32) (local $left i32)
  (local.set $stream (call $stdout))
  (local.set $left (i32.const 10000))
  (loop $again
    (call $write_bytes (local.get $stream) (i32.const 32) (i32.const 6))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $again (local.get $left)))
  (call $drop_stream (local.get $stream))
  (local.set $stream (call $start (local.get $out)))
  (call $write_bytes (local.get $stream) (i32.const 16) (i32.const 3))
  (call $end (local.get $stream)))"#;

/// Writes a line to standard error and another to standard output, and then responds.
pub const WRITES_TO_BOTH_OUTPUTS: &str = r#"(func $misbehave (param $out i32)
  (local $stream i32)
  (local.set $stream (call $stderr))
  (call $write_bytes (local.get $stream) (i32.const 32) (i32.const 6))
  (call $drop_stream (local.get $stream))
  (local.set $stream (call $stdout))
  (call $write_bytes (local.get $stream) (i32.const 32) (i32.const 6))
  (call $drop_stream (local.get $stream))
  (local.set $stream (call $start (local.get $out)))
  (call $write_bytes (local.get $stream) (i32.const 16) (i32.const 3))
  (call $end (local.get $stream)))"#;

/// Computes forever before it responds.
pub const SPINS: &str = "(func $misbehave (param $out i32) (loop $again (br $again)))";

/// Computes forever after it has started to respond.
pub const SPINS_IN_MID_STREAM: &str = r#"(func $misbehave (param $out i32)
  (drop (call $start_and_wait (local.get $out)))
  (loop $again (br $again)))"#;

/// Starts a response and then waits for an hour.
pub const WAITS_IN_MID_STREAM: &str = r#"(func $misbehave (param $out i32)
  (drop (call $start_and_wait (local.get $out)))
  (call $block (call $timer (i64.const 3600000000000))))"#;

/// Starts a response and drops its body, which aborts the response.
pub const BREAKS_OFF: &str = r#"(func $misbehave (param $out i32)
  (local $stream i32)
  (local.set $stream (call $start_and_wait (local.get $out)))
  (call $write_bytes (local.get $stream) (i32.const 64) (i32.const 5))
  (call $drop_stream (local.get $stream))
  (call $drop_body (global.get $body)))"#;

/// Allocates and touches as much memory as it can, and traps when there is no more.
pub const HOARDS_MEMORY: &str = r#"(func $misbehave (param $out i32)
  (local $page i32)
  (loop $again
    (local.set $page (memory.grow (i32.const 1)))
    (if (i32.eq (local.get $page) (i32.const -1)) (then unreachable))
    (i32.store (i32.mul (local.get $page) (i32.const 65536)) (i32.const 1))
    (br $again)))"#;

/// Recurses forever.
pub const RECURSES: &str = "(func $misbehave (param $out i32) (call $misbehave (local.get $out)))";

/// Creates headers forever and drops none.
pub const LEAKS_HANDLES: &str = "(func $misbehave (param $out i32) (loop $again (drop (call $fields)) (br $again)))";

/// Reads frames and drops none. Responds with `full` when the host returns no more.
pub const LEAKS_FRAMES: &str = r#"(func $misbehave (param $out i32)
  (local $feed i32) (local $stream i32)
  (call $feed_open (i32.const 48) (i32.const 8) (i32.const 256))
  (local.set $feed (i32.load (i32.const 260)))
  (loop $again
    (call $feed_next (local.get $feed) (i64.const 10000000000) (i32.const 256))
    (br_if $again (i32.eqz (i32.load (i32.const 256)))))
  (local.set $stream (call $start (local.get $out)))
  (call $write_bytes (local.get $stream) (i32.const 64) (i32.const 5))
  (call $end (local.get $stream)))"#;

/// Writes forever without checking whether it may.
pub const WRITES_UNASKED: &str = r#"(func $misbehave (param $out i32)
  (local $stream i32)
  (local.set $stream (call $start_and_wait (local.get $out)))
  (loop $again
    (call $write_unasked (local.get $stream) (i32.const 0) (i32.const 65536) (i32.const 256))
    (br $again)))"#;

/// Writes forever, whenever it may.
pub const WRITES_FOR_EVER: &str = r#"(func $misbehave (param $out i32)
  (local $stream i32)
  (local.set $stream (call $start_and_wait (local.get $out)))
  (loop $again
    (call $write_bytes (local.get $stream) (i32.const 0) (i32.const 4096))
    (br $again)))"#;

/// Streams its camera without a channel: the instance writes the stream of its one viewer.
pub const STREAMS: &str = r#"
  ;; Waits until the stream accepts bytes.
  (func $ready (param $stream i32)
    (local $pollable i32)
    (loop $again
      (call $check_write (local.get $stream) (i32.const 256))
      (if (i32.load8_u (i32.const 256)) (then unreachable))
      (if (i64.eqz (i64.load (i32.const 264)))
        (then
          (local.set $pollable (call $writable (local.get $stream)))
          (call $block (local.get $pollable))
          (call $drop_pollable (local.get $pollable))
          (br $again)))))
  (func $put (param $stream i32) (param $at i32) (param $length i32)
    (call $ready (local.get $stream))
    (call $write_unasked (local.get $stream) (local.get $at) (local.get $length) (i32.const 256)))
  (func $misbehave (param $out i32)
    (local $stream i32) (local $feed i32) (local $image i32) (local $data i32) (local $at i32)
    (local $length i64) (local $left i64)
    (call $feed_open (i32.const 48) (i32.const 8) (i32.const 256))
    (local.set $feed (i32.load (i32.const 260)))
    (global.set $is_multipart (i32.const 1))
    (local.set $stream (call $start (local.get $out)))
    (call $put (local.get $stream) (i32.const 642) (i32.const 9))
    (loop $next
      (call $feed_next (local.get $feed) (i64.const 10000000000) (i32.const 256))
      (if (i32.eqz (i32.load8_u (i32.const 264))) (then unreachable))
      (local.set $image (i32.load (i32.const 304)))
      (call $image_info (local.get $image) (i32.const 256))
      (local.set $length (i64.load (i32.const 280)))
      ;; Seven decimal digits, from the last to the first.
      (local.set $left (local.get $length))
      (local.set $at (i32.const 561))
      (loop $digit
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $left) (i64.const 10)))))
        (local.set $left (i64.div_u (local.get $left) (i64.const 10)))
        (br_if $digit (i32.gt_u (local.get $at) (i32.const 554))))
      (call $put (local.get $stream) (i32.const 512) (i32.const 76))
      (local.set $data (call $image_stream (local.get $image)))
      (loop $more
        (call $ready (local.get $stream))
        (call $splice (local.get $stream) (local.get $data) (local.get $length) (i32.const 256))
        (local.set $length (i64.sub (local.get $length) (i64.load (i32.const 264))))
        (br_if $more (i64.ne (local.get $length) (i64.const 0))))
      (call $drop_input (local.get $data))
      (call $drop_image (local.get $image))
      (call $put (local.get $stream) (i32.const 640) (i32.const 11))
      (br $next)))"#;

/// Starts a response, waits until the guest is replaced, and completes it.
pub const ENDS_WHEN_REPLACED: &str = r#"(func $misbehave (param $out i32)
  (local $stream i32) (local $replaced i32)
  (local.set $stream (call $start (local.get $out)))
  (local.set $replaced (call $replaced))
  (call $block (local.get $replaced))
  (call $drop_pollable (local.get $replaced))
  (call $write_bytes (local.get $stream) (i32.const 16) (i32.const 3))
  (call $end (local.get $stream)))"#;

/// Counts the responses of the instance, and responds with the number of this one in three digits.
const COUNTS: &str = r#"
  (global $count (mut i32) (i32.const 0))
  (func $respond_with_count (param $out i32)
    (local $stream i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.store8 (i32.const 300) (i32.add (i32.const 48) (i32.div_u (global.get $count) (i32.const 100))))
    (i32.store8 (i32.const 301)
      (i32.add (i32.const 48) (i32.rem_u (i32.div_u (global.get $count) (i32.const 10)) (i32.const 10))))
    (i32.store8 (i32.const 302) (i32.add (i32.const 48) (i32.rem_u (global.get $count) (i32.const 10))))
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.const 300) (i32.const 3))
    (call $end (local.get $stream)))"#;

/// Writes a component to `folder` that executes `instructions`, then responds with the number of responses of its
/// instance, including this one, in three digits. `$count` is the number of responses before.
pub fn counting(folder: &Path, instructions: &str) -> PathBuf {
    component(
        folder,
        &format!(
            "{COUNTS} (func $misbehave (param $out i32) {instructions} (call $respond_with_count (local.get $out)))"
        ),
    )
}

/// Joins the channel whose name is at address 1024. Responds with the index of the error code if that fails.
const JOINS: &str = r#"(func $misbehave (param $out i32)
  (local $r i32) (local $stream i32)
  (local.set $r (call $response (call $fields)))
  (call $response_body (local.get $r) (i32.const 256))
  (call $join (i32.load (i32.const 260)) (i32.const 1024) (global.get $name_length)
    (i32.const 1536) (i32.const 8) (i32.const 1552) (i32.const 8) (i32.const 0) (f64.const 0)
    (i32.const 1536) (global.get $label_length)
    (i32.const 256))
  (if (i32.load8_u (i32.const 256))
    (then
      (i32.store8 (i32.const 300) (i32.add (i32.const 48) (i32.load8_u (i32.const 264))))
      (local.set $stream (call $start (local.get $out)))
      (call $write_bytes (local.get $stream) (i32.const 300) (i32.const 1))
      (call $end (local.get $stream)))
    (else (call $set (local.get $out) (i32.const 0) (local.get $r)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))))
  (data (i32.const 1536) "opening\0a")
  (data (i32.const 1552) "closing\0a")
  (func $push_part (param $channel i32)
    (call $push (local.get $channel) (i32.const 1600) (global.get $part_length) (i32.const 0) (i32.const 0)
      (i32.const 1600) (i32.const 0) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable)))
"#;

/// Pushes a part fifty times a second, forever.
pub const PUBLISHES: &str = "(func $publish (param $channel i32)
  (loop $again (call $push_part (local.get $channel)) (call $pause (i64.const 20)) (br $again)))";

/// Pushes a part, and traps.
pub const PUBLISHES_AND_TRAPS: &str = "(func $publish (param $channel i32)
  (call $push_part (local.get $channel)) (call $pause (i64.const 20)) unreachable)";

/// Traps before it has pushed a part.
pub const PUBLISHES_NOTHING_AND_TRAPS: &str = "(func $publish (param $channel i32) unreachable)";

/// Pushes a part, and computes forever.
pub const PUBLISHES_AND_SPINS: &str = "(func $publish (param $channel i32)
  (call $push_part (local.get $channel)) (loop $again (br $again)))";

/// Pushes a part ten times, and returns.
pub const PUBLISHES_AND_ENDS: &str = "(func $publish (param $channel i32)
  (local $left i32)
  (local.set $left (i32.const 10))
  (loop $again
    (call $push_part (local.get $channel)) (call $pause (i64.const 20))
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))";

/// Pushes a part as fast as it can, without waiting.
pub const PUBLISHES_WITHOUT_A_PAUSE: &str = "(func $publish (param $channel i32)
  (loop $again (call $push_part (local.get $channel)) (br $again)))";

/// Returns a component that joins the channel with this name and publishes it with the function `publish`. Its parts
/// are `part`.
pub fn publishing(channel: &str, publish: &str, part: &str) -> Vec<u8> {
    let export = r#"(export "hotshoe:server/publisher@0.2.0#publish" (func $publish))"#;
    encode(&joining(channel, part, &format!("{publish} {export}"), 0), "publishing-guest")
}

/// Like [`publishing`], with additional imports. At paths of five characters, such as `/loop`, it calls the function
/// `$other` instead of joining the channel.
pub fn publishing_and(imports: &str, channel: &str, publish: &str, part: &str, other: &str) -> Vec<u8> {
    let export = r#"(export "hotshoe:server/publisher@0.2.0#publish" (func $publish))"#;
    // The length of the path is still where `$is_ok` has read it.
    let dispatch = "(func $misbehave (param $out i32)
      (if (i32.eq (i32.load (i32.const 264)) (i32.const 5))
        (then (call $other (local.get $out)))
        (else (call $join_channel (local.get $out)))))";
    let joins = joining(channel, part, &format!("{publish} {export}"), 0).replacen(
        "(func $misbehave",
        "(func $join_channel",
        1,
    );
    let module = joins.replacen("(module", &format!("(module {imports}"), 1);
    let module = module.strip_suffix(')').unwrap_or(&module);
    encode(&format!("{module} {other} {dispatch})"), "publishing-guest")
}

/// Returns a component that publishes a channel and labels each viewer with this many bytes.
pub fn publishing_with_label(length: u32) -> Vec<u8> {
    let export = r#"(export "hotshoe:server/publisher@0.2.0#publish" (func $publish))"#;
    encode(&joining("c", "part", &format!("{PUBLISHES} {export}"), length), "publishing-guest")
}

/// Returns a component that joins a channel, allows reuse, waits half a second and responds with an error. Its
/// publisher opens the camera, and waits.
pub fn joining_and_refusing() -> Vec<u8> {
    let refuses = r#"(func $misbehave (param $out i32)
      (local $r i32)
      (call $allow_reuse)
      (local.set $r (call $response (call $fields)))
      (call $response_body (local.get $r) (i32.const 256))
      (call $join (i32.load (i32.const 260)) (i32.const 1024) (i32.const 1) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (f64.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
      (call $drop_response (local.get $r))
      (call $pause (i64.const 500))
      (call $refuse (local.get $out)))"#;
    let publish = r#"(func (export "hotshoe:server/publisher@0.2.0#publish") (param $channel i32)
      (call $feed_open (i32.const 48) (i32.const 8) (i32.const 256))
      (call $pause (i64.const 3600000)))"#;
    encode(&module(&format!(r#"{refuses} {publish} (data (i32.const 1024) "c")"#), true), "publishing-guest")
}

/// Returns a component that joins the channel with this name but publishes none.
pub fn joining_without_publishing(channel: &str) -> Vec<u8> {
    encode(&joining(channel, "", "", 0), "guest")
}

/// Returns a component with a worker that executes `work`, and that misbehaves at `/bad` like [`TRAPS`].
pub fn working(work: &str) -> Vec<u8> {
    encode(&module(&format!("{TRAPS} {}", worker(work)), true), "working-guest")
}

/// Like [`publishing`], with a worker that executes `work`.
pub fn publishing_and_working(channel: &str, publish: &str, part: &str, work: &str) -> Vec<u8> {
    let export = r#"(export "hotshoe:server/publisher@0.2.0#publish" (func $publish))"#;
    let module = joining(channel, part, &format!("{publish} {export} {}", worker(work)), 0);
    encode_with(&module, "publishing-guest", "include hotshoe:server/working-guest@0.2.0;", "")
}

/// A worker, and functions that print `working` and `replaced`.
fn worker(work: &str) -> String {
    format!(
        r#"(data (i32.const 768) "working\0a") (data (i32.const 784) "replaced\0a")
        (func $print (param $at i32) (param $length i32)
          (local $stream i32)
          (local.set $stream (call $stdout))
          (call $write_bytes (local.get $stream) (local.get $at) (local.get $length))
          (call $drop_stream (local.get $stream)))
        (func $print_working (call $print (i32.const 768) (i32.const 8)))
        (func $print_replaced (call $print (i32.const 784) (i32.const 9)))
        (func (export "hotshoe:server/worker@0.2.0#run") {work})"#
    )
}

fn joining(channel: &str, part: &str, publish: &str, label_length: u32) -> String {
    let (name_length, part_length) = (channel.len(), part.len());
    let rest = format!(
        r#"{JOINS} {publish}
        (global $name_length i32 (i32.const {name_length})) (global $part_length i32 (i32.const {part_length}))
        (global $label_length i32 (i32.const {label_length}))
        (data (i32.const 1024) "{channel}") (data (i32.const 1600) "{part}")"#
    );
    module(&rest, true)
}

/// Starts a response and returns without completing it.
pub const LEAVES_UNFINISHED: &str = r#"(func $misbehave (param $out i32)
  (drop (call $start_and_wait (local.get $out))))"#;

/// Writes a component made of the prelude and this function to `folder`.
pub fn component(folder: &Path, misbehave: &str) -> PathBuf {
    let path = folder.join("guest.wasm");
    std::fs::write(&path, serving(misbehave)).unwrap();
    path
}

/// Returns a component made of the prelude and this function.
pub fn serving(misbehave: &str) -> Vec<u8> {
    encode(&module(misbehave, true), "guest")
}

/// Like [`serving`], with additional imports before those of the prelude.
pub fn importing(imports: &str, misbehave: &str) -> Vec<u8> {
    let module = format!("(module {imports} {PRELUDE} (global $answers_index i32 (i32.const 1)) {misbehave})");
    encode(&module, "guest")
}

/// Like [`importing`], with imports of an interface that `wit/` lacks, such as `wasi:config/store@0.2.0-rc.1`.
/// `package` defines its package, in WIT with braces.
pub fn importing_from(package: &str, interface: &str, imports: &str, misbehave: &str) -> Vec<u8> {
    let module = format!("(module {imports} {PRELUDE} (global $answers_index i32 (i32.const 1)) {misbehave})");
    encode_with(&module, "guest", &format!("import {interface};"), package)
}

/// Like [`serving`], but the component also misbehaves at `/`, which the host requests before the guest serves.
pub fn misbehaving_at_once(misbehave: &str) -> Vec<u8> {
    encode(&module(misbehave, false), "guest")
}

/// Like [`serving`], with this many additional functions that take long to compile and are never called.
pub fn large(misbehave: &str, functions: usize) -> Vec<u8> {
    encode(&module(&format!("{misbehave} {}", unused_functions(functions)), true), "guest")
}

/// Like [`misbehaving_at_once`], but as large as [`large`].
pub fn large_misbehaving_at_once(misbehave: &str, functions: usize) -> Vec<u8> {
    encode(&module(&format!("{misbehave} {}", unused_functions(functions)), false), "guest")
}

/// Returns functions that differ from each other.
fn unused_functions(functions: usize) -> String {
    let function = |number: usize| {
        format!(
            "(func (param i32) (result i32) (local i32) \
             (loop $again (local.set 1 (i32.add (local.get 1) (i32.mul (local.get 0) (i32.const {number})))) \
             (i32.store (i32.and (local.get 1) (i32.const 1023)) (local.get 0)) \
             (br_if $again (i32.lt_u (local.get 1) (i32.const {number})))) (local.get 1)) "
        )
    };
    (1..=functions).map(function).collect()
}

/// Returns a component whose memory initially has this size, in bytes.
pub fn needing_memory(bytes: usize) -> Vec<u8> {
    let pages = format!("(memory (export \"memory\") {})", bytes.div_ceil(65_536));
    encode(&module(TRAPS, true).replace("(memory (export \"memory\") 2)", &pages), "guest")
}

/// Returns the built-in guest.
pub fn built_in() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    assert!(run(["guest".as_ref(), "save".as_ref(), path.as_os_str()]).status.success());
    std::fs::read(path).unwrap()
}

/// Returns a component that behaves the same but has another digest, because of a custom section with this number.
pub fn variant(component: &[u8], number: u32) -> Vec<u8> {
    // Component Model, Binary.md: the id 0, the length of the section, the length of the name, the name, the contents.
    let mut other = component.to_vec();
    other.extend([0, 6, 1, b'v']);
    other.extend(number.to_be_bytes());
    other
}

/// Returns a core module made of the prelude and `rest`, which responds to `/` properly or not.
fn module(rest: &str, answers_index: bool) -> String {
    format!("(module {PRELUDE} (global $answers_index i32 (i32.const {})) {rest})", i32::from(answers_index))
}

/// Interfaces of WASI that guests may import although they are not part of the worlds.
const STANDARD_LIBRARY_IMPORTS: [&str; 10] = [
    "wasi:cli/environment",
    "wasi:cli/stderr",
    "wasi:cli/stdout",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp-create-socket",
];

/// Returns a component made of a core module in text format, for a world of `hotshoe:server`.
fn encode(module: &str, world: &str) -> Vec<u8> {
    encode_with(module, world, "", "")
}

/// Like [`encode`], with further imports and packages in WIT.
fn encode_with(module: &str, world: &str, imports: &str, packages: &str) -> Vec<u8> {
    // The component only contains those imports that the module uses.
    let standard: String = STANDARD_LIBRARY_IMPORTS.iter().map(|name| format!("import {name}@0.2.12; ")).collect();
    let wit = format!(
        "package test:guests; \
         world tested {{ include hotshoe:server/{world}@0.2.0; {standard} {imports} }} {packages}"
    );
    encode_module(module, "wit/server", &wit, "tested")
}

/// Returns a component made of a core module in text format. Its world is `world`, which is defined in `wit` and can
/// use the packages in `folder`.
pub fn encode_module(module: &str, folder: &str, wit: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_dir(workspace().join(folder)).unwrap();
    let package = resolve.push_str("world.wit", wit).unwrap();
    encode_world(module, &resolve, package, world)
}

/// Returns a component made of a core module in text format, for a world of this package.
pub fn encode_world(module: &str, resolve: &Resolve, package: PackageId, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}
