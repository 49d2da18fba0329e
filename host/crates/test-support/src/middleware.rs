//! Middleware for tests, in WebAssembly text format: components that import and export the request handler.

use std::path::Path;

use wit_parser::Resolve;

use super::guests::{ALLOCATOR, encode_world};
use super::workspace;

/// The release of WASI that the host provides, which `wit/deps` contains.
const RELEASE: &str = "0.2.12";

/// Imports, memory and functions. `RELEASE` stands for a release of WASI.
const PRELUDE: &str = r#"
  (import "wasi:http/incoming-handler@RELEASE" "handle" (func $next (param i32 i32)))
  (import "wasi:http/types@RELEASE" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
  (import "wasi:clocks/monotonic-clock@RELEASE" "subscribe-duration" (func $timer (param i64) (result i32)))
  (import "wasi:io/poll@RELEASE" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:cli/stdout@RELEASE" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@RELEASE" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@RELEASE" "[resource-drop]output-stream" (func $drop_stream (param i32)))

  (memory (export "memory") 1)
  ;; Whether the path begins with `/bad`.
  (func $is_bad (param $request i32) (result i32)
    (call $path (local.get $request) (i32.const 256))
    (if (result i32) (i32.lt_u (i32.load (i32.const 264)) (i32.const 4))
      (then (i32.const 0))
      (else (i32.eq (i32.load (i32.load (i32.const 260))) (i32.const 0x6461622f)))))

  ;; Prints the line at address 1024.
  (func $print
    (local $stream i32)
    (local.set $stream (call $stdout))
    (call $write (local.get $stream) (i32.const 1024) (global.get $line_length) (i32.const 256))
    (call $drop_stream (local.get $stream)))
"#;

/// Passes every request on.
pub const PASSES_ON: &str = "(call $next (local.get $request) (local.get $out))";

/// Prints its line, and passes every request on.
pub const PRINTS: &str = "(call $print) (call $next (local.get $request) (local.get $out))";

/// Traps at `/bad`, and passes all other requests on.
pub const TRAPS: &str =
    "(if (call $is_bad (local.get $request)) (then unreachable)) (call $next (local.get $request) (local.get $out))";

/// Waits for an hour at `/bad`, and passes all other requests on.
pub const NEVER_ANSWERS: &str = "(if (call $is_bad (local.get $request))
    (then (call $block (call $timer (i64.const 3600000000000)))))
  (call $next (local.get $request) (local.get $out))";

/// Returns middleware that handles each request with these instructions. `line` is what it prints.
pub fn middleware(instructions: &str, line: &str) -> Vec<u8> {
    of_release(RELEASE, instructions, line)
}

/// Like [`middleware`], built for this release of WASI.
pub fn of_release(release: &str, instructions: &str, line: &str) -> Vec<u8> {
    let length = line.len() + 1;
    let module = format!(
        r#"(module {PRELUDE} {ALLOCATOR}
          (global $line_length i32 (i32.const {length})) (data (i32.const 1024) "{line}\0a")
          (func (export "wasi:http/incoming-handler@RELEASE#handle") (param $request i32) (param $out i32)
            {instructions}))"#
    );
    let wit = "package test:middleware;
        world middleware {
            import wasi:http/types@RELEASE; import wasi:clocks/monotonic-clock@RELEASE; import wasi:cli/stdout@RELEASE;
            import wasi:http/incoming-handler@RELEASE; export wasi:http/incoming-handler@RELEASE;
        }"
    .replace("RELEASE", release);
    let folder = tempfile::tempdir().unwrap();
    write_wasi(folder.path(), release, &wit);
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder.path()).unwrap();
    encode_world(&module.replace("RELEASE", release), &resolve, package, "middleware")
}

/// Writes a folder with a WIT package and this release of WASI.
fn write_wasi(folder: &Path, release: &str, wit: &str) {
    let deps = folder.join("deps");
    std::fs::create_dir_all(&deps).unwrap();
    for entry in std::fs::read_dir(workspace().join("wit/deps")).unwrap() {
        let file = entry.unwrap().path();
        // No item may be newer than its package.
        let text = std::fs::read_to_string(&file).unwrap().replace(RELEASE, release);
        let text = text.replace("@since(version = 0.2.1)", "@since(version = 0.2.0)");
        std::fs::write(deps.join(file.file_name().unwrap()), text).unwrap();
    }
    std::fs::write(folder.join("world.wit"), wit).unwrap();
}
