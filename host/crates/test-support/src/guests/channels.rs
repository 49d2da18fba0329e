//! Guests with channels, and functions `$publish`.

use super::encode::encode;
use super::prelude::module;

/// Exports `$publish` as the publisher.
pub(super) const PUBLISHER: &str = r#"(export "hotshoe:server/publisher@0.2.0#publish" (func $publish))"#;

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

/// Pushes a part. Then it computes for some microseconds and waits for what has happened long ago, again and again.
pub const PUBLISHES_AND_WAITS_FOR_NOTHING: &str = "(func $publish (param $channel i32)
  (local $timer i32) (local $left i32)
  (call $push_part (local.get $channel))
  (local.set $timer (call $timer (i64.const 1)))
  (call $pause (i64.const 20))
  (loop $again
    (local.set $left (i32.const 10000))
    (loop $compute (br_if $compute (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $block (local.get $timer))
    (br $again)))";

/// Like [`PUBLISHES_AND_WAITS_FOR_NOTHING`], with another timer each time, which has expired from the beginning.
pub const PUBLISHES_AND_POLLS: &str = "(func $publish (param $channel i32)
  (local $left i32)
  (call $push_part (local.get $channel))
  (loop $again
    (local.set $left (i32.const 10000))
    (loop $compute (br_if $compute (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $pause (i64.const 0))
    (br $again)))";

/// Returns a component that joins the channel with this name and publishes it with the function `publish`. Its parts
/// are `part`.
pub fn publishing(channel: &str, publish: &str, part: &str) -> Vec<u8> {
    encode(&joining(channel, part, &format!("{publish} {PUBLISHER}"), 0), "publishing-guest")
}

/// Like [`publishing`], with additional imports. At paths of five characters, such as `/loop`, it calls the function
/// `$other` instead of joining the channel.
pub fn publishing_and(imports: &str, channel: &str, publish: &str, part: &str, other: &str) -> Vec<u8> {
    // The length of the path is still where `$is_ok` has read it.
    let dispatch = "(func $misbehave (param $out i32)
      (if (i32.eq (i32.load (i32.const 264)) (i32.const 5))
        (then (call $other (local.get $out)))
        (else (call $join_channel (local.get $out)))))";
    let joins = joining(channel, part, &format!("{publish} {PUBLISHER}"), 0).replacen(
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
    encode(&joining("c", "part", &format!("{PUBLISHES} {PUBLISHER}"), length), "publishing-guest")
}

/// Returns a component that joins a channel, allows reuse, waits half a second and responds with an error. Its
/// publisher opens the camera, and waits.
pub fn joining_and_refusing() -> Vec<u8> {
    joining_and_refusing_unless_index(true)
}

/// Like [`joining_and_refusing`], also if the request is for `/`, which is how candidates are tested.
pub fn joining_and_refusing_at_once() -> Vec<u8> {
    joining_and_refusing_unless_index(false)
}

fn joining_and_refusing_unless_index(answers_index: bool) -> Vec<u8> {
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
    let rest = format!(r#"{refuses} {publish} (data (i32.const 1024) "c")"#);
    encode(&module(&rest, answers_index), "publishing-guest")
}

/// Returns a component that publishes the channel `c`: a part, and then another for each frame of the camera `emulated`,
/// for which it looks every 20 ms. It traps if the camera is removed.
pub fn publishing_until_the_camera_is_removed() -> Vec<u8> {
    let next = r#"(import "hotshoe:camera/cameras@0.2.0" "[method]feed.next" (func $feed_next_now (param i32 i32)))"#;
    let publish = "(func $publish (param $channel i32)
      (local $feed i32)
      (call $feed_open (i32.const 48) (i32.const 8) (i32.const 256))
      (local.set $feed (i32.load (i32.const 260)))
      (loop $again
        (call $push_part (local.get $channel))
        (call $pause (i64.const 20))
        (call $feed_next_now (local.get $feed) (i32.const 256))
        (if (i32.load8_u (i32.const 256)) (then unreachable))
        (if (i32.load8_u (i32.const 264)) (then (call $drop_image (i32.load (i32.const 304)))))
        (br $again)))";
    publishing_and(next, "c", publish, "part", "(func $other (param $out i32) unreachable)")
}

/// Returns a component that joins the channel with this name but publishes none.
pub fn joining_without_publishing(channel: &str) -> Vec<u8> {
    encode(&joining(channel, "", "", 0), "guest")
}

/// Returns a core module that joins the channel with this name, with these functions.
pub(super) fn joining(channel: &str, part: &str, publish: &str, label_length: u32) -> String {
    let (name_length, part_length) = (channel.len(), part.len());
    let rest = format!(
        r#"{JOINS} {publish}
        (global $name_length i32 (i32.const {name_length})) (global $part_length i32 (i32.const {part_length}))
        (global $label_length i32 (i32.const {label_length}))
        (data (i32.const 1024) "{channel}") (data (i32.const 1600) "{part}")"#
    );
    module(&rest, true)
}
