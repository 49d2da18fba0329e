//! Directories of WASI 0.2 that a guest passes to functions of WASI 0.3 (`--guest-dir`).

use std::fs;

use hotshoe_test_support::client::get;
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;
use rustix::fs::{CWD, FileType, Mode, mknodat};

const IMPORTS: &str = r#"
  (import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.open-at"
    (func $open (param i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.read" (func $read (param i32 i64 i64 i32)))
  (import "wasi:filesystem/types@0.3.0" "[async-lower][method]descriptor.open-at"
    (func $start_to_open (param i32 i32) (result i32)))
  (import "wasi:filesystem/types@0.3.0" "[method]descriptor.read-directory" (func $list (param i32 i32)))
"#;

/// `/oNAME` begins to open a file 40 times by WASI 0.3, and responds with the outcome of the last call that has returned:
/// whether it has failed, and the error code. `/l` lists the directory by WASI 0.3, and `/rNAME` reads the file by WASI
/// 0.2.
const MIXES_VERSIONS: &str = r#"
  (func $respond (param $out i32) (param $at i32) (param $length i32)
    (local $stream i32)
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (local.get $at) (local.get $length))
    (call $end (local.get $stream)))

  (func $misbehave (param $out i32)
    (local $root i32) (local $path i32) (local $length i32) (local $do i32) (local $count i32)
    ;; The prelude has read the path of the request.
    (local.set $do (i32.load8_u offset=1 (i32.load (i32.const 260))))
    (local.set $path (i32.add (i32.load (i32.const 260)) (i32.const 2)))
    (local.set $length (i32.sub (i32.load (i32.const 264)) (i32.const 2)))
    (call $directories (i32.const 256))
    (local.set $root (i32.load (i32.load (i32.const 256))))
    (if (i32.eq (local.get $do) (i32.const 0x6f)) (then
      ;; The arguments: follow links, read.
      (i32.store (i32.const 1100) (local.get $root))
      (i32.store8 (i32.const 1104) (i32.const 1))
      (i32.store (i32.const 1108) (local.get $path))
      (i32.store (i32.const 1112) (local.get $length))
      (i32.store8 (i32.const 1116) (i32.const 0))
      (i32.store8 (i32.const 1117) (i32.const 1))
      (i32.store8 (i32.const 1136) (i32.const 255))
      (i32.store8 (i32.const 1140) (i32.const 255))
      (loop $again
        (drop (call $start_to_open (i32.const 1100) (i32.const 1136)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $count) (i32.const 40))))
      (i32.store8 (i32.const 1200) (i32.load8_u (i32.const 1136)))
      (i32.store8 (i32.const 1201) (i32.load8_u (i32.const 1140)))
      (call $respond (local.get $out) (i32.const 1200) (i32.const 2))
      (return)))
    (if (i32.eq (local.get $do) (i32.const 0x6c)) (then
      (call $list (local.get $root) (i32.const 256))
      (call $respond (local.get $out) (i32.const 16) (i32.const 3))
      (return)))
    (call $open (local.get $root) (i32.const 1) (local.get $path) (local.get $length) (i32.const 0) (i32.const 1)
      (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (call $read (i32.load (i32.const 260)) (i64.const 4096) (i64.const 0) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (call $respond (local.get $out) (i32.load (i32.const 260)) (i32.load (i32.const 264))))
"#;

/// No call has returned yet, or one has failed with the error `not-permitted`, or with `quota`, because too many are in
/// progress.
const OUTCOMES: [[u8; 2]; 3] = [[255, 255], [1, 30], [1, 5]];

#[test]
fn directories_are_protected_in_both_versions_of_wasi() {
    let folder = tempfile::tempdir().unwrap();
    let www = folder.path().join("www");
    fs::create_dir(&www).unwrap();
    fs::write(www.join("file"), "content").unwrap();
    mknodat(CWD, www.join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let guest = folder.path().join("guest.wasm");
    fs::write(&guest, guests::with_one_type_of_descriptors(IMPORTS, MIXES_VERSIONS)).unwrap();
    let args = ["--camera", "emulated", "--guest", guest.to_str().unwrap(), "--guest-dir", www.to_str().unwrap()];
    let server = Server::start(&args);
    // With a thread blocked for each call, these would exhaust Tokio's pool of 512.
    for _ in 0..15 {
        let outcome = get(server.address, "/opipe").body;
        assert!(OUTCOMES.iter().any(|possible| outcome == possible), "{outcome:?}: {}", server.log());
    }
    assert_eq!(get(server.address, "/l").text(), "ok\n");
    assert_eq!(get(server.address, "/rfile").text(), "content");
}
