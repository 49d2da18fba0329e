//! Drivers of cameras for tests. Each consists of a prelude and the instructions of the function `run`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::components::unused_functions;
use super::encode::{ALLOCATOR, encode_module};
use crate::built_in_pictures;

/// Imports, memory and functions. The pictures are at address 131072.
const PRELUDE: &str = r#"
  (import "hotshoe:camera/capture@0.2.0" "push" (func $push_bytes (param i32 i32 i32 i64 i32)))
  (import "hotshoe:camera/capture@0.2.0" "is-closing" (func $is_closing (result i32)))
  (import "hotshoe:camera/capture@0.2.0" "subscribe-closing" (func $closing (result i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $timer (param i64) (result i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop_pollable (param i32)))
  (import "wasi:cli/stdout@0.2.12" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop_stream (param i32)))

  (memory (export "memory") 16)
  (data (i32.const 1024) "closing\0a")
  (data (i32.const 1040) "the lens cap is on")

  ;; Imports write results that do not fit into one value to address 256. `run` returns its result at address 512.

  ;; Delivers these bytes, captured just now. Returns 0 if they were accepted.
  (func $push (param $at i32) (param $length i32) (result i32)
    (call $push_bytes (local.get $at) (local.get $length) (i32.const 0) (i64.const 0) (i32.const 256))
    (i32.load8_u (i32.const 256)))

  (func $pause (param $milliseconds i64)
    (local $timer i32)
    (local.set $timer (call $timer (i64.mul (local.get $milliseconds) (i64.const 1000000))))
    (call $block (local.get $timer))
    (call $drop_pollable (local.get $timer)))

  (func $print (param $at i32) (param $length i32)
    (local $stream i32)
    (local.set $stream (call $stdout))
    (call $write (local.get $stream) (local.get $at) (local.get $length) (i32.const 256))
    (call $drop_stream (local.get $stream)))

  ;; Delivers a picture every 20 ms until the camera closes.
  (func $stream (param $at i32) (param $length i32)
    (loop $again
      (drop (call $push (local.get $at) (local.get $length)))
      (call $pause (i64.const 20))
      (br_if $again (i32.eqz (call $is_closing)))))
"#;

/// Delivers a picture every 20 ms, and prints `closing` before it ends with its camera.
pub const DRIVES: &str = "(call $stream (global.get $picture) (global.get $length))
  (call $print (i32.const 1024) (i32.const 8))";

/// Waits for the camera to close without a picture.
pub const SILENT_DRIVER: &str = "(call $block (call $closing))";

/// Delivers one picture, and then nothing.
pub const FALLS_SILENT: &str =
    "(drop (call $push (global.get $picture) (global.get $length))) (call $block (call $closing))";

/// Delivers one picture, and computes forever.
pub const SPINS_AFTER_A_PICTURE: &str = "(drop (call $push (global.get $picture) (global.get $length)))
  (loop $again (br $again))";

/// Traps before its first picture.
pub const TRAPS_WITHOUT_A_PICTURE: &str = "unreachable";

/// Delivers pictures for a fifth of a second, and traps.
pub const TRAPS_AFTER_PICTURES: &str = "(local $left i32) (local.set $left (i32.const 10))
  (loop $again
    (drop (call $push (global.get $picture) (global.get $length)))
    (call $pause (i64.const 20))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $again (local.get $left)))
  unreachable";

/// Reports that the lens cap is on.
pub const REPORTS: &str = "(i32.store8 (i32.const 512) (i32.const 1))
  (i32.store (i32.const 516) (i32.const 1040)) (i32.store (i32.const 520) (i32.const 18))";

/// Returns without a picture or a reason.
pub const RETURNS: &str = "";

/// Delivers a whole picture and a truncated one in turn, and prints `closing` if the second was accepted.
pub const TRUNCATES: &str = "(loop $again
    (drop (call $push (global.get $picture) (global.get $length)))
    (call $pause (i64.const 20))
    (if (i32.eqz (call $push (global.get $picture) (i32.sub (global.get $length) (i32.const 1000))))
      (then (call $print (i32.const 1024) (i32.const 8))))
    (call $pause (i64.const 20))
    (br_if $again (i32.eqz (call $is_closing))))";

/// Delivers pictures without a pause, and never looks whether the camera closes.
pub const FLOODS: &str = "(loop $again (drop (call $push (global.get $picture) (global.get $length))) (br $again))";

/// Delivers five truncated pictures, and traps.
pub const TRUNCATES_AND_TRAPS: &str = "(local $left i32) (local.set $left (i32.const 5))
  (loop $again
    (drop (call $push (global.get $picture) (i32.sub (global.get $length) (i32.const 1000))))
    (call $pause (i64.const 20))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $again (local.get $left)))
  unreachable";

/// Delivers pictures with damaged image data every 20 ms.
pub const CORRUPTS: &str =
    "(memory.fill (i32.add (global.get $picture) (i32.const 8000)) (i32.const 0) (i32.const 2000))
  (call $stream (global.get $picture) (global.get $length))";

/// Delivers a picture, and the same with damaged image data, in turn.
pub const CORRUPTS_EVERY_SECOND: &str = "
  (memory.copy (i32.const 600000) (global.get $picture) (global.get $length))
  (memory.fill (i32.const 608000) (i32.const 0) (i32.const 2000))
  (loop $again
    (drop (call $push (global.get $picture) (global.get $length)))
    (call $pause (i64.const 20))
    (drop (call $push (i32.const 600000) (global.get $length)))
    (call $pause (i64.const 20))
    (br_if $again (i32.eqz (call $is_closing))))";

/// Delivers more bytes than the host accepts, then a picture every 20 ms if that was refused.
pub const PUSHES_TOO_MUCH: &str = "(drop (memory.grow (i32.const 160)))
  (if (i32.eqz (call $push (i32.const 0) (i32.const 9000000))) (then unreachable))
  (call $stream (global.get $picture) (global.get $length))";

/// Passes far more bytes to the host than one call may.
pub const PUSHES_ALL_MEMORY: &str = "(drop (memory.grow (i32.const 400)))
  (drop (call $push (i32.const 0) (i32.const 20000000)))
  (call $stream (global.get $picture) (global.get $length))";

/// Takes as much memory as it can, and traps when there is no more.
pub const HOARDS_MEMORY_AS_A_DRIVER: &str = "(loop $again
    (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
    (br $again))";

/// Creates timers forever and drops none.
pub const LEAKS_TIMERS: &str = "(loop $again (drop (call $timer (i64.const 3600000000000))) (br $again))";

/// Prints the name and the value of its first option, and then drives.
pub const PRINTS_ITS_FIRST_OPTION: &str = "(if (i32.eqz (local.get $options_length)) (then unreachable))
  (call $print (i32.load (local.get $options)) (i32.load offset=4 (local.get $options)))
  (call $print (i32.load offset=8 (local.get $options)) (i32.load offset=12 (local.get $options)))
  (call $stream (global.get $picture) (global.get $length))";

/// Returns a driver with these instructions. Its picture is the built-in one with this number, 1 to 3.
pub fn driver(instructions: &str, picture: usize) -> Vec<u8> {
    driver_importing("", "", instructions, picture)
}

/// Like [`driver`], with this many additional functions that take long to compile and are never called.
pub fn large_driver(instructions: &str, picture: usize, functions: usize) -> Vec<u8> {
    encode_driver("", "", &unused_functions(functions), instructions, picture)
}

/// Like [`driver`], with further imports: in WIT, and in WebAssembly text format.
pub fn driver_importing(wit_imports: &str, imports: &str, instructions: &str, picture: usize) -> Vec<u8> {
    encode_driver(wit_imports, imports, "", instructions, picture)
}

fn encode_driver(wit_imports: &str, imports: &str, functions: &str, instructions: &str, picture: usize) -> Vec<u8> {
    let picture = &built_in_pictures()[picture - 1];
    let mut bytes = String::with_capacity(picture.len() * 3);
    for byte in picture {
        write!(bytes, "\\{byte:02x}").unwrap();
    }
    let length = picture.len();
    let module = format!(
        r#"(module {imports} {PRELUDE} {ALLOCATOR} {functions}
          (data (i32.const 131072) "{bytes}")
          (global $picture i32 (i32.const 131072)) (global $length i32 (i32.const {length}))
          (func $run (param $options i32) (param $options_length i32) {instructions})
          (func (export "hotshoe:camera/source@0.2.0#run")
            (param i32 i32 i32 i32 f64) (param $options i32) (param $options_length i32) (result i32)
            (call $run (local.get $options) (local.get $options_length))
            (i32.const 512)))"#
    );
    let wit = format!(
        "package test:drivers; \
         world tested {{ include hotshoe:camera/driver@0.2.0; import wasi:cli/stdout@0.2.12; {wit_imports} }}"
    );
    encode_module(&module, "wit/server", &wit, "tested")
}

/// Like [`driver`]. The driver drives, unless its directory (`dir=`) contains a file `broken` when it starts. Then it
/// traps.
pub fn driver_that_a_file_breaks(picture: usize) -> Vec<u8> {
    let wit = "import wasi:filesystem/preopens@0.2.12; import wasi:filesystem/types@0.2.12;";
    let imports = r#"
      (import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
      (import "wasi:filesystem/types@0.2.12" "[method]descriptor.stat-at" (func $stat (param i32 i32 i32 i32 i32)))"#;
    let instructions = r#"
      (call $directories (i32.const 256))
      (i64.store (i32.const 1100) (i64.const 0x6e656b6f7262)) ;; "broken"
      (call $stat (i32.load (i32.load (i32.const 256))) (i32.const 0) (i32.const 1100) (i32.const 6) (i32.const 1200))
      (if (i32.eqz (i32.load8_u (i32.const 1200))) (then unreachable))
      (call $stream (global.get $picture) (global.get $length))"#;
    driver_importing(wit, imports, instructions, picture)
}

/// Writes a driver to `folder`. Returns its path, and the argument of `--camera` for a camera named `front`.
pub fn driver_file(folder: &Path, driver: &[u8]) -> (PathBuf, String) {
    let path = folder.join("driver.wasm");
    std::fs::write(&path, driver).unwrap();
    let camera = format!("front=component:{}", path.display());
    (path, camera)
}
