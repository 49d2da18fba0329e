//! Guests that attach results to frames of the camera `emulated`, or hold remembered frames.

use super::encode::encode;
use super::misbehaving::TRAPS;
use super::prelude::module_with;

pub(super) const IMPORTS: &str = r#"
  (import "hotshoe:server/results@0.2.0" "attach"
    (func $attach (param i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "hotshoe:server/results@0.2.0" "set-zones" (func $put_zones (param i32 i32 i32 i32 i32 i32 i32)))
  (import "hotshoe:camera/cameras@0.2.0" "get-frame" (func $get_frame (param i32 i32 i64 i32)))"#;

/// A box at 1024, a number at 1088 and a text at 1120, and functions that change and attach them.
pub(super) const RESULTS: &str = r#"
  (global $count (mut i32) (i32.const 0))
  (data (i32.const 1152) "face") (data (i32.const 1160) "lux") (data (i32.const 1168) "plate")
  (data (i32.const 1184) "\"A<B\"")
  (func $set_box (param $score f64) (param $left f64)
    (i32.store (i32.const 1024) (i32.const 1152)) (i32.store (i32.const 1028) (i32.const 4))
    (f64.store (i32.const 1032) (local.get $score))
    (f64.store (i32.const 1040) (local.get $left)) (f64.store (i32.const 1048) (f64.const 0.25))
    (f64.store (i32.const 1056) (f64.const 0.5)) (f64.store (i32.const 1064) (f64.const 0.5)))
  (func $set_number (param $value f64)
    (i32.store (i32.const 1088) (i32.const 1160)) (i32.store (i32.const 1092) (i32.const 3))
    (f64.store (i32.const 1096) (local.get $value)))
  (func $set_text (param $at i32) (param $length i32)
    (i32.store (i32.const 1120) (i32.const 1168)) (i32.store (i32.const 1124) (i32.const 5))
    (i32.store (i32.const 1128) (local.get $at)) (i32.store (i32.const 1132) (local.get $length)))
  ;; Attaches this many boxes, numbers and texts to a frame. Returns 0, or one more than the index of the error.
  (func $attach_to (param $sequence i64) (param $boxes i32) (param $numbers i32) (param $texts i32) (result i32)
    (call $attach (i32.const 48) (i32.const 8) (local.get $sequence)
      (i32.const 1024) (local.get $boxes) (i32.const 1088) (local.get $numbers) (i32.const 1120) (local.get $texts)
      (i32.const 0) (i32.const 0) (i32.const 256))
    (if (result i32) (i32.load8_u (i32.const 256))
      (then (i32.add (i32.load8_u (i32.const 260)) (i32.const 1))) (else (i32.const 0))))
  ;; Sets no zone, or one with this many corners, with the label of the box. The first three are those of a triangle.
  ;; Returns 0, or one more than the index of the error.
  (func $set_zones (param $zones i32) (param $corners i32) (result i32)
    (i32.store (i32.const 1200) (i32.const 1216)) (i32.store (i32.const 1204) (local.get $corners))
    (f64.store (i32.const 1224) (f64.const 0.5))
    (f64.store (i32.const 1232) (f64.const 1)) (f64.store (i32.const 1240) (f64.const 0.5))
    (f64.store (i32.const 1248) (f64.const 1)) (f64.store (i32.const 1256) (f64.const 1))
    (call $put_zones (i32.const 48) (i32.const 8) (i32.const 1152) (i32.const 4)
      (i32.const 1200) (local.get $zones) (i32.const 256))
    (if (result i32) (i32.load8_u (i32.const 256))
      (then (i32.add (i32.load8_u (i32.const 260)) (i32.const 1))) (else (i32.const 0))))
  ;; Gets a frame and keeps its image. Returns 0, or one more than the index of the error.
  (func $hold (param $sequence i64) (result i32)
    (call $get_frame (i32.const 48) (i32.const 8) (local.get $sequence) (i32.const 256))
    (if (result i32) (i32.load8_u (i32.const 256))
      (then (i32.add (i32.load8_u (i32.const 264)) (i32.const 1))) (else (i32.const 0))))
  (func $open (result i32)
    (call $feed_open (i32.const 48) (i32.const 8) (i32.const 256))
    (i32.load (i32.const 260)))
  ;; Waits for the next frame. Returns its number.
  (func $next (param $feed i32) (result i64)
    (local $sequence i64)
    (loop $again
      (call $feed_next (local.get $feed) (i64.const 10000000000) (i32.const 256))
      (br_if $again (i32.eqz (i32.load8_u (i32.const 264)))))
    (local.set $sequence (i64.load (i32.const 272)))
    (call $drop_image (i32.load (i32.const 304)))
    (local.get $sequence))"#;

/// Returns a component whose worker executes `work` for each frame, whose number is `$sequence`.
pub fn attaching(work: &str) -> Vec<u8> {
    let worker = format!(
        r#"(func (export "hotshoe:server/worker@0.2.0#run")
          (local $feed i32) (local $sequence i64)
          (local.set $feed (call $open))
          (loop $again
            (local.set $sequence (call $next (local.get $feed)))
            {work}
            (br $again)))"#
    );
    encode(&module_with(IMPORTS, &format!("{TRAPS} {RESULTS} {worker}"), true), "working-guest")
}

/// Attaches a box with the label `face`, a number and a text to each frame: `$sequence` is the number.
pub const ATTACHES_ALL: &str = "
  (call $set_box (f64.const 0.875) (f64.const 0.25))
  (call $set_number (f64.convert_i64_u (local.get $sequence)))
  (call $set_text (i32.const 1184) (i32.const 5))
  (if (call $attach_to (local.get $sequence) (i32.const 1) (i32.const 1) (i32.const 1)) (then unreachable))";

/// Returns a component that attaches a box to a frame and then traps, whatever the request.
pub fn attaching_and_trapping() -> Vec<u8> {
    let handler = r#"(func $misbehave (param $out i32)
          (call $set_box (f64.const 1) (f64.const 0))
          (if (call $attach_to (call $next (call $open)) (i32.const 1) (i32.const 0) (i32.const 0)) (then (return)))
          unreachable)"#;
    encode(&module_with(IMPORTS, &format!("{RESULTS} {handler}"), false), "guest")
}

/// Returns a component that executes `attempts` for a request and responds with what they stored at `$at`, which is one
/// character for each. `$sequence` is the number of a frame.
pub fn attaching_in_handler(attempts: &str) -> Vec<u8> {
    let handler = format!(
        r#"
        (global $at (mut i32) (i32.const 2048))
        (func $report (param $code i32)
          (i32.store8 (global.get $at) (i32.add (i32.const 48) (local.get $code)))
          (global.set $at (i32.add (global.get $at) (i32.const 1))))
        (func $misbehave (param $out i32)
          (local $feed i32) (local $sequence i64) (local $stream i32) (local $left i32)
          (local.set $feed (call $open))
          (local.set $sequence (call $next (local.get $feed)))
          (call $set_box (f64.const 1) (f64.const 0)) (call $set_number (f64.const 1))
          (call $set_text (i32.const 1184) (i32.const 5))
          {attempts}
          (local.set $stream (call $start (local.get $out)))
          (call $write_bytes (local.get $stream) (i32.const 2048) (i32.sub (global.get $at) (i32.const 2048)))
          (call $end (local.get $stream)))"#
    );
    encode(&module_with(IMPORTS, &format!("{RESULTS} {handler}"), true), "guest")
}
