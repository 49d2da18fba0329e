//! Guests with a worker.

use super::channels::{PUBLISHER, joining};
use super::encode::{ALLOCATOR, encode, encode_module, encode_with};
use super::misbehaving::TRAPS;
use super::prelude::module;

/// Returns a component with a worker that executes `work`, and that misbehaves at `/bad` like [`TRAPS`].
pub fn working(work: &str) -> Vec<u8> {
    encode(&module(&format!("{TRAPS} {}", worker(work)), true), "working-guest")
}

/// Like [`publishing`](super::publishing), with a worker that executes `work`.
pub fn publishing_and_working(channel: &str, publish: &str, part: &str, work: &str) -> Vec<u8> {
    let module = joining(channel, part, &format!("{publish} {PUBLISHER} {}", worker(work)), 0);
    encode_with(&module, "publishing-guest", "include hotshoe:server/working-guest@0.2.0;", "")
}

/// Returns a component that only has a worker. It prints this line, and then executes `work`.
pub fn working_beside(line: &str, work: &str) -> Vec<u8> {
    let length = line.len() + 1;
    let module = format!(
        r#"(module
          (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
          (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
            (func $write (param i32 i32 i32 i32)))
          (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
          (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
          (memory (export "memory") 1)
          (data (i32.const 1024) "{line}\0a")
          {ALLOCATOR}
          (func (export "hotshoe:server/worker@0.2.0#run")
            (call $write (call $stdout) (i32.const 1024) (i32.const {length}) (i32.const 256))
            {work}))"#
    );
    let wit = "package test:beside; world tested { include hotshoe:server/guest-companion@0.2.0; \
        import wasi:cli/stdout@0.2.12; }";
    encode_module(&module, "wit/server", wit, "tested")
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
