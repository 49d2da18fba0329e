//! Guests whose publisher calls `channel.push-frames`.

use super::channels::publishing_and;

/// The import, and heads. The first consists of the number, the length and the time of the frame, and the second of one
/// piece of 5 MiB. A piece of zeros has no bytes.
const FUNCTIONS: &str = r#"
  (data (i32.const 2048)
    "\00\00\00\00\00\09\00\00\02\00\00\00" "\02\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00\02\09\00\00\03\00\00\00" "\01\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00\05\09\00\00\03\00\00\00" "\03\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00\08\09\00\00\01\00\00\00")
  (data (i32.const 2304) "n= l= t=\0a")
  (data (i32.const 2320) "\00\00\00\00\00\00\00\00\00\00\50\00")
  (data (i32.const 2352) "again\0a")
  (data (i32.const 2368) "tail")
  (func $open (result i32)
    (call $feed_open (i32.const 48) (i32.const 8) (i32.const 256))
    (i32.load (i32.const 260)))
  (func $push_with (param $channel i32) (param $feed i32) (param $head i32) (param $pieces i32)
    (call $push_frames (local.get $channel) (local.get $feed) (local.get $head) (local.get $pieces)
      (i32.const 2368) (i32.const 4) (i64.const 500000000) (i32.const 256)))
"#;

fn publishing_with_frames(publish: &str) -> Vec<u8> {
    let import = r#"(import "hotshoe:server/channels@0.2.0" "[method]channel.push-frames"
        (func $push_frames (param i32 i32 i32 i32 i32 i32 i64 i32)))"#;
    let publish = format!("{FUNCTIONS} (func $publish (param $channel i32) {publish})");
    publishing_and(import, "c", &publish, "", "(func $other (param $out i32))")
}

/// Returns a component that publishes the frames of a camera as `n=NUMBER l=LENGTH t=TIME`, a line break, the image and
/// `tail`. If there was none for half a second, it pushes the last one again, as `again`, a line break, the image and
/// `tail`.
pub fn pushing_frames() -> Vec<u8> {
    publishing_with_frames(
        "(local $feed i32)
        (local.set $feed (call $open))
        (loop $again
          (call $push_with (local.get $channel) (local.get $feed) (i32.const 2048) (i32.const 7))
          (if (i32.load8_u (i32.const 256)) (then unreachable))
          (if (i32.load8_u (i32.const 264))
            (then
              (call $push (local.get $channel) (i32.const 2352) (i32.const 6) (i32.const 1) (i32.load (i32.const 304))
                (i32.const 2368) (i32.const 4) (i32.const 384))
              (call $drop_image (i32.load (i32.const 304)))))
          (br $again))",
    )
}

/// Returns a component that pushes a part with the indices of the error codes of three calls: with a head that is too
/// large, with one of too many pieces, and while it holds as many images as it may.
pub fn pushing_frames_beyond_the_limits() -> Vec<u8> {
    publishing_with_frames(
        "(local $feed i32) (local $images i32)
        (local.set $feed (call $open))
        (drop (memory.grow (i32.const 100)))
        (call $push_with (local.get $channel) (local.get $feed) (i32.const 2320) (i32.const 1))
        (i32.store8 (i32.const 2400) (i32.add (i32.const 48) (i32.load8_u (i32.const 264))))
        (call $push_with (local.get $channel) (local.get $feed) (i32.const 100000) (i32.const 65))
        (i32.store8 (i32.const 2401) (i32.add (i32.const 48) (i32.load8_u (i32.const 264))))
        (loop $next
          (call $feed_next (local.get $feed) (i64.const 10000000000) (i32.const 256))
          (if (i32.load8_u (i32.const 256)) (then unreachable))
          (br_if $next (i32.lt_u (local.tee $images (i32.add (local.get $images) (i32.const 1))) (i32.const 16))))
        (call $push_with (local.get $channel) (local.get $feed) (i32.const 2048) (i32.const 7))
        (i32.store8 (i32.const 2402) (i32.add (i32.const 48) (i32.load8_u (i32.const 264))))
        (call $push (local.get $channel) (i32.const 2400) (i32.const 3) (i32.const 0) (i32.const 0)
          (i32.const 0) (i32.const 0) (i32.const 256))
        (call $pause (i64.const 3600000))",
    )
}
