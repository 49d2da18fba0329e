//! A guest that reads the camera `emulated` in every way that its interfaces offer.

use super::encode::encode;
use super::prelude::module_with;
use super::{pixels, results};

/// Sends each image as one chunk of the response, so it must have at most 4096 bytes (`blocking-write-and-flush`).
const STREAMS_EVERYTHING: &str = r#"
  (global $turn (mut i32) (i32.const 0))
  (func $send_piece (param $stream i32) (param $image i32)
    ;; What was read before is no longer needed.
    (global.set $top (i32.const 4096))
    (call $image_bytes (local.get $image) (i32.const 256))
    (call $drop_image (local.get $image))
    (if (i32.gt_u (i32.load (i32.const 260)) (i32.const 4096)) (then unreachable))
    (call $write_bytes (local.get $stream) (i32.load (i32.const 256)) (i32.load (i32.const 260)))
    (if (i32.load8_u (i32.const 256)) (then unreachable)))
  (func $misbehave (param $out i32)
    (local $stream i32) (local $image i32) (local $picture i32) (local $sequence i64)
    (call $feed_open (i32.const 48) (i32.const 8) (i32.const 256))
    (global.set $feed (i32.load (i32.const 260)))
    (local.set $stream (call $start (local.get $out)))
    (loop $again
      (call $feed_next (global.get $feed) (i64.const 10000000000) (i32.const 256))
      (br_if $again (i32.eqz (i32.load8_u (i32.const 264))))
      (local.set $sequence (i64.load (i32.const 272)))
      (local.set $image (i32.load (i32.const 304)))
      ;; In turn: its pixels at each scale, encoded again, and four times its bytes.
      (global.set $turn (i32.and (i32.add (global.get $turn) (i32.const 1)) (i32.const 7)))
      (if (i32.lt_u (global.get $turn) (i32.const 4))
        (then
          (call $decode (local.get $image) (global.get $turn) (i32.const 1) (i32.const 256))
          (local.set $picture (call $payload))
          (call $drop_image (local.get $image))
          (call $encode (local.get $picture) (i32.const 90) (i32.const 256))
          (call $drop_picture (local.get $picture))
          (local.set $image (call $payload))))
      (call $send_piece (local.get $stream) (local.get $image))
      ;; A frame that the camera remembers.
      (call $get_frame (i32.const 48) (i32.const 8) (i64.sub (local.get $sequence) (i64.const 20)) (i32.const 256))
      (if (i32.and (i32.eqz (i32.load8_u (i32.const 256))) (i32.load8_u (i32.const 264)))
        (then (call $send_piece (local.get $stream) (i32.load (i32.const 304)))))
      (br $again)))"#;

/// Attaches a box to each frame. Its label changes every 64 frames, which begins another event, and its score rises
/// until then, so each frame is the best one so far.
const BEGINS_EVENTS: &str = r#"
  (func (export "hotshoe:server/worker@0.2.0#run")
    (local $watched i32) (local $sequence i64)
    (local.set $watched (call $open))
    (loop $again
      (local.set $sequence (call $next (local.get $watched)))
      (i32.store8 (i32.const 1152) (i32.add (i32.const 97)
        (i32.wrap_i64 (i64.rem_u (i64.shr_u (local.get $sequence) (i64.const 6)) (i64.const 26)))))
      (call $set_box
        (f64.div (f64.convert_i64_u (i64.and (local.get $sequence) (i64.const 63))) (f64.const 64)) (f64.const 0))
      (drop (call $attach_to (local.get $sequence) (i32.const 1) (i32.const 0) (i32.const 0)))
      (br $again)))"#;

/// Returns a component whose worker begins an event every 64 frames, and that responds with a stream of all images that
/// it can get, one in each chunk: new frames, their pixels at each scale, encoded again, and remembered frames.
pub fn reading_everything() -> Vec<u8> {
    let imports = format!("{} {}", pixels::IMPORTS, results::IMPORTS);
    let functions = format!("{} {}", pixels::FUNCTIONS, results::RESULTS);
    encode(&module_with(&imports, &format!("{functions} {STREAMS_EVERYTHING} {BEGINS_EVENTS}"), true), "working-guest")
}
