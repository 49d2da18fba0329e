//! Functions `$misbehave`, which respond to `/bad`.

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

/// Prints 4 MiB in one call, without checking whether it may.
pub const PRINTS_UNASKED: &str = r#"(func $misbehave (param $out i32)
  (drop (memory.grow (i32.const 64)))
  (call $write_unasked (call $stdout) (i32.const 0) (i32.const 4194304) (i32.const 256)))"#;

/// Responds with the error code `internal-error`, whose text has 4 MiB.
pub const REFUSES_AT_LENGTH: &str = r#"(func $misbehave (param $out i32)
  (drop (memory.grow (i32.const 64)))
  (memory.fill (i32.const 8192) (i32.const 0x78) (i32.const 4194304))
  (call $set (local.get $out) (i32.const 1) (i32.const 38)
    (i32.const 1) (i64.const 8192) (i32.const 4194304) (i32.const 0) (i32.const 0) (i32.const 0)))"#;

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

/// Starts a response and returns without completing it.
pub const LEAVES_UNFINISHED: &str = r#"(func $misbehave (param $out i32)
  (drop (call $start_and_wait (local.get $out))))"#;

/// Creates 200 responses and sends none. Writes as much to each body as the host permits, and drops the body. Then
/// responds with `ok`.
pub const HOARDS_BODIES: &str = r#"
  (func $fill (param $stream i32)
    (local $permitted i64)
    (loop $again
      (call $check_write (local.get $stream) (i32.const 256))
      (local.set $permitted (i64.load (i32.const 264)))
      (if (i64.ne (local.get $permitted) (i64.const 0))
        (then
          (call $write_unasked (local.get $stream) (i32.const 65536) (i32.wrap_i64 (local.get $permitted))
            (i32.const 256))
          (br $again)))))
  (func $misbehave (param $out i32)
    (local $left i32) (local $body i32) (local $stream i32)
    (drop (memory.grow (i32.const 16)))
    (local.set $left (i32.const 200))
    (loop $again
      (call $response_body (call $response (call $fields)) (i32.const 256))
      (local.set $body (i32.load (i32.const 260)))
      (call $body_write (local.get $body) (i32.const 256))
      (local.set $stream (i32.load (i32.const 260)))
      (call $fill (local.get $stream))
      (call $drop_stream (local.get $stream))
      (call $drop_body (local.get $body))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.const 16) (i32.const 3))
    (call $end (local.get $stream)))"#;

/// Starts a response and returns without completing it, before anything was sent.
pub const LEAVES_UNFINISHED_AT_ONCE: &str = r#"(func $misbehave (param $out i32)
  (call $write_bytes (call $start (local.get $out)) (i32.const 32) (i32.const 6)))"#;
