//! Filters of cameras.

use super::components::unused_functions;
use super::encode::{ALLOCATOR, encode_module};

/// Imports and functions. The memory from 100000 is black.
const FILTER: &str = r#"
  (import "hotshoe:camera/pixels@0.2.0" "decode" (func $decode (param i32 i32 i32 i32)))
  (import "hotshoe:camera/pixels@0.2.0" "[method]picture.write"
    (func $draw (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "hotshoe:camera/pixels@0.2.0" "[method]picture.encode" (func $encode (param i32 i32 i32)))
  (import "hotshoe:camera/pixels@0.2.0" "[resource-drop]picture" (func $drop_picture (param i32)))
  (import "hotshoe:camera/frames@0.2.0" "[resource-drop]image" (func $drop_image (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (memory (export "memory") 2)
  (func $payload (result i32)
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (i32.load (i32.const 264)))
  ;; Makes an area of an image black.
  (func $mask (param $image i32) (result i32)
    (local $picture i32)
    (call $decode (local.get $image) (i32.const 0) (i32.const 1) (i32.const 256))
    (local.set $picture (call $payload))
    (call $draw (local.get $picture) AREA
      (i32.const 100000) (i32.const LENGTH) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (call $encode (local.get $picture) (i32.const 90) (i32.const 256))
    (call $drop_picture (local.get $picture))
    (call $payload))
  (global $calls (mut i32) (i32.const 0))
  (func (export "hotshoe:camera/filter@0.2.0#apply")
    (param $sequence i64) (param $monotonic i64) (param $seconds i64) (param $nanoseconds i32) (param $image i32)
    (result i32)
    (local $made i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i64.store (i32.const 512) (i64.const 0))
    BEHAVIOUR
    (local.set $made (call $mask (local.get $image)))
    (call $drop_image (local.get $image))
    (i64.store (i32.const 512) (i64.const 1))
    (i64.store (i32.const 520) (local.get $sequence))
    (i64.store (i32.const 528) (local.get $monotonic))
    (i64.store (i32.const 536) (local.get $seconds))
    (i32.store (i32.const 544) (local.get $nanoseconds))
    (i32.store (i32.const 552) (local.get $made))
    (i32.const 512))"#;

/// Masks every frame.
pub const MASKS_ALWAYS: &str = "";

/// Traps at every seventh frame of its instance.
pub const TRAPS_AT_TIMES: &str = "(if (i32.eqz (i32.rem_u (global.get $calls) (i32.const 7))) (then unreachable))";

/// Traps at its first frame.
pub const TRAPS_AT_ONCE: &str = "unreachable";

/// Computes forever at its fifth frame.
pub const SPINS_AT_TIMES: &str = "(if (i32.eq (global.get $calls) (i32.const 5)) (then (loop $again (br $again))))";

/// Waits for an hour at its fifth frame.
pub const WAITS_AT_TIMES: &str = "(if (i32.eq (global.get $calls) (i32.const 5))
  (then (call $block (call $timer (i64.const 3600000000000)))))";

/// Computes for tens of milliseconds before each frame.
pub const IS_SLOW: &str = "(local.set $made (i32.const 20000000))
  (loop $again (br_if $again (local.tee $made (i32.sub (local.get $made) (i32.const 1)))))";

/// Returns nothing for every third frame.
pub const SKIPS_FRAMES: &str = "(if (i32.eqz (i32.rem_u (global.get $calls) (i32.const 3)))
  (then (call $drop_image (local.get $image)) (return (i32.const 512))))";

/// Returns nothing.
pub const RETURNS_NOTHING: &str = "(call $drop_image (local.get $image)) (return (i32.const 512))";

/// Returns nothing, and keeps the images of all frames.
pub const HOARDS_IMAGES: &str = "(return (i32.const 512))";

/// Keeps all images.
pub const LEAKS_IMAGES: &str = "(drop (call $mask (local.get $image)))";

/// The left half of pictures of 64x48 pixels: left, top, width and height.
const LEFT_HALF: [u32; 4] = [0, 0, 32, 48];

/// Returns a filter that makes the left 32x48 pixels of a frame black, and does something else before.
pub fn masking(behaviour: &str) -> Vec<u8> {
    large_masking(behaviour, 0)
}

/// Like [`masking`], with this many additional functions that take long to compile and are never called.
pub fn large_masking(behaviour: &str, functions: usize) -> Vec<u8> {
    masking_area(LEFT_HALF, behaviour, functions)
}

/// Like [`large_masking`], for the area with this left, top, width and height, of up to 10,000 pixels.
pub fn masking_area([left, top, width, height]: [u32; 4], behaviour: &str, functions: usize) -> Vec<u8> {
    let area = [left, top, width, height].map(|number| format!("(i32.const {number})")).join(" ");
    let length = 3 * width * height;
    let filter = FILTER.replace("BEHAVIOUR", behaviour).replace("AREA", &area).replace("LENGTH", &length.to_string());
    let module = format!("(module {filter} {ALLOCATOR} {})", unused_functions(functions));
    let wit = "package test:filters; world tested { include hotshoe:camera/frame-filter@0.2.0; }";
    encode_module(&module, "wit/camera", wit, "tested")
}
