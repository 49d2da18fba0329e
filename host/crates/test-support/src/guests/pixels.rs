//! Guests that use `hotshoe:camera/pixels`.

use super::channels::publishing_and;
use super::components::importing;

pub(super) const IMPORTS: &str = r#"
  (import "hotshoe:camera/pixels@0.2.0" "decode" (func $decode (param i32 i32 i32 i32)))
  (import "hotshoe:camera/pixels@0.2.0" "adopt" (func $adopt (param i32 i32 i32)))
  (import "hotshoe:camera/pixels@0.2.0" "[static]picture.create" (func $create (param i32 i32 i32 i32)))
  (import "hotshoe:camera/pixels@0.2.0" "[method]picture.read" (func $pixels (param i32 i32 i32 i32 i32 i32 i32)))
  (import "hotshoe:camera/pixels@0.2.0" "[method]picture.write"
    (func $draw (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "hotshoe:camera/pixels@0.2.0" "[method]picture.encode" (func $encode (param i32 i32 i32)))
  (import "hotshoe:camera/pixels@0.2.0" "[resource-drop]picture" (func $drop_picture (param i32)))
  (import "hotshoe:camera/frames@0.2.0" "[method]image.read" (func $image_bytes (param i32 i32)))"#;

/// Functions for frames, pictures and responses. The memory from 100000 is black.
pub(super) const FUNCTIONS: &str = r#"
  (global $feed (mut i32) (i32.const 0))
  (func $next_image (result i32)
    (if (i32.eqz (global.get $feed))
      (then
        (call $feed_open (i32.const 48) (i32.const 8) (i32.const 256))
        (global.set $feed (i32.load (i32.const 260)))))
    (call $feed_next (global.get $feed) (i64.const 10000000000) (i32.const 256))
    (i32.load (i32.const 304)))
  ;; Returns the payload of a successful result.
  (func $payload (result i32)
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (i32.load (i32.const 264)))
  ;; Makes 128x64 pixels in the upper left corner black. Returns an image.
  (func $masked (param $image i32) (result i32)
    (local $picture i32)
    (call $decode (local.get $image) (i32.const 0) (i32.const 1) (i32.const 256))
    (local.set $picture (call $payload))
    (call $draw (local.get $picture) (i32.const 0) (i32.const 0) (i32.const 128) (i32.const 64)
      (i32.const 100000) (i32.const 24576) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (call $encode (local.get $picture) (i32.const 90) (i32.const 256))
    (call $drop_picture (local.get $picture))
    (call $payload))
  (func $send (param $out i32) (param $at i32) (param $length i32)
    (local $stream i32) (local $piece i32)
    (local.set $stream (call $start (local.get $out)))
    (loop $again
      (local.set $piece (select (i32.const 4096) (local.get $length) (i32.gt_u (local.get $length) (i32.const 4096))))
      (call $write_bytes (local.get $stream) (local.get $at) (local.get $piece))
      (local.set $at (i32.add (local.get $at) (local.get $piece)))
      (local.set $length (i32.sub (local.get $length) (local.get $piece)))
      (br_if $again (local.get $length)))
    (call $end (local.get $stream)))
  (func $send_image (param $out i32) (param $image i32)
    (call $image_bytes (local.get $image) (i32.const 256))
    (call $send (local.get $out) (i32.load (i32.const 256)) (i32.load (i32.const 260))))
  ;; Notes the index of the error code, or a full stop.
  (global $noted (mut i32) (i32.const 3000))
  (func $note
    (i32.store8 (global.get $noted) (select
      (i32.add (i32.const 48) (i32.load8_u (i32.const 264))) (i32.const 46) (i32.load8_u (i32.const 256))))
    (global.set $noted (i32.add (global.get $noted) (i32.const 1))))
  (func $send_notes (param $out i32)
    (call $send (local.get $out) (i32.const 3000) (i32.sub (global.get $noted) (i32.const 3000))))"#;

/// Responds with a frame whose upper left corner is black.
pub const MASKS: &str =
    "(func $misbehave (param $out i32) (call $send_image (local.get $out) (call $masked (call $next_image))))";

/// Responds with the luma of a frame at 1/8.
pub const READS_EIGHTH: &str = "(func $misbehave (param $out i32)
  (call $decode (call $next_image) (i32.const 3) (i32.const 0) (i32.const 256))
  (call $pixels (call $payload) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
  (call $send (local.get $out) (call $payload) (i32.load (i32.const 268))))";

/// Responds with a frame that was read and adopted again.
pub const ADOPTS: &str = "(func $misbehave (param $out i32)
  (call $image_bytes (call $next_image) (i32.const 256))
  (call $adopt (i32.load (i32.const 256)) (i32.load (i32.const 260)) (i32.const 256))
  (call $send_image (local.get $out) (call $payload)))";

/// Decodes forever.
pub const DECODES_ENDLESSLY: &str = "(func $misbehave (param $out i32)
  (local $image i32)
  (local.set $image (call $next_image))
  (loop $again
    (call $decode (local.get $image) (i32.const 0) (i32.const 1) (i32.const 256))
    (call $drop_picture (call $payload))
    (br $again)))";

/// Decodes and drops nothing. Responds with the error code.
pub const HOLDS_PICTURES: &str = "(func $misbehave (param $out i32)
  (local $image i32)
  (local.set $image (call $next_image))
  (loop $again
    (call $decode (local.get $image) (i32.const 0) (i32.const 1) (i32.const 256))
    (br_if $again (i32.eqz (i32.load8_u (i32.const 256)))))
  (call $note)
  (call $send_notes (local.get $out)))";

/// Encodes and drops no image. Responds with the error code.
pub const HOLDS_MADE_IMAGES: &str = "(func $misbehave (param $out i32)
  (local $picture i32)
  (call $create (i32.const 8) (i32.const 8) (i32.const 0) (i32.const 256))
  (local.set $picture (call $payload))
  (loop $again
    (call $encode (local.get $picture) (i32.const 80) (i32.const 256))
    (br_if $again (i32.eqz (i32.load8_u (i32.const 256)))))
  (call $note)
  (call $send_notes (local.get $out)))";

/// Passes wrong sizes, areas, lengths, qualities and bytes, and makes pictures that are too large together. Responds
/// with an error code for each, or a full stop for success.
pub const MAKES_EVERY_MISTAKE: &str = "(func $misbehave (param $out i32)
  (local $picture i32)
  (call $create (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 256)) (call $note)
  (call $create (i32.const 4097) (i32.const 4096) (i32.const 0) (i32.const 256)) (call $note)
  (call $create (i32.const 64) (i32.const 48) (i32.const 1) (i32.const 256)) (call $note)
  (local.set $picture (call $payload))
  (call $draw (local.get $picture) (i32.const 32) (i32.const 0) (i32.const 33) (i32.const 1)
    (i32.const 100000) (i32.const 99) (i32.const 256)) (call $note)
  (call $draw (local.get $picture) (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 2)
    (i32.const 100000) (i32.const 11) (i32.const 256)) (call $note)
  (call $pixels (local.get $picture) (i32.const 1) (i32.const -1) (i32.const 0) (i32.const 2) (i32.const 1)
    (i32.const 256)) (call $note)
  (call $encode (local.get $picture) (i32.const 0) (i32.const 256)) (call $note)
  (call $encode (local.get $picture) (i32.const 101) (i32.const 256)) (call $note)
  (call $adopt (i32.const 100000) (i32.const 500) (i32.const 256)) (call $note)
  (call $create (i32.const 4096) (i32.const 4096) (i32.const 1) (i32.const 256)) (call $note)
  (call $create (i32.const 4096) (i32.const 4096) (i32.const 1) (i32.const 256)) (call $note)
  (call $send_notes (local.get $out)))";

/// Returns a component that misbehaves in this way, with functions for pixels.
pub fn seeing(misbehave: &str) -> Vec<u8> {
    importing(IMPORTS, &format!("{FUNCTIONS} {misbehave}"))
}

/// Returns a component that publishes a channel of frames whose upper left corner is black.
pub fn publishing_masked_frames() -> Vec<u8> {
    let publish = format!(
        "{FUNCTIONS} (func $publish (param $channel i32)
          (local $image i32) (local $made i32)
          (loop $again
            (local.set $image (call $next_image))
            (local.set $made (call $masked (local.get $image)))
            (call $push (local.get $channel) (i32.const 0) (i32.const 0) (i32.const 1) (local.get $made)
              (i32.const 0) (i32.const 0) (i32.const 256))
            (if (i32.load8_u (i32.const 256)) (then unreachable))
            (call $drop_image (local.get $made))
            (call $drop_image (local.get $image))
            (br $again)))"
    );
    publishing_and(IMPORTS, "c", &publish, "part", "(func $other (param $out i32))")
}
