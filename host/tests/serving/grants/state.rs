//! State: `wasi:keyvalue`, in memory and in the file of `--guest-store`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use hotshoe_test_support::client::{get, try_request};
use hotshoe_test_support::server::{Server, start_failing};
use hotshoe_test_support::{guests, wait_until, workspace};
use rustix::process::Signal;

/// A guest that uses one draft of `wasi:keyvalue`.
fn guest(draft: &str, misbehave: &str) -> Vec<u8> {
    let wit = fs::read_to_string(workspace().join(format!("wit/deps/keyvalue-{draft}.wit"))).unwrap();
    let version = format!("0.2.0-{draft}");
    let (_, body) = wit.split_once(&format!("package wasi:keyvalue@{version};")).unwrap();
    let package = format!("package wasi:keyvalue@{version} {{ {body} }}");
    let imports = format!(
        r#"
        (import "wasi:keyvalue/store@{version}" "open" (func $open (param i32 i32 i32)))
        (import "wasi:keyvalue/store@{version}" "[method]bucket.get" (func $get (param i32 i32 i32 i32)))
        (import "wasi:keyvalue/store@{version}" "[method]bucket.set" (func $set_value (param i32 i32 i32 i32 i32 i32)))
        (import "wasi:keyvalue/store@{version}" "[resource-drop]bucket" (func $drop_bucket (param i32)))
        (import "wasi:keyvalue/atomics@{version}" "increment" (func $increment (param i32 i32 i32 i64 i32)))
        "#
    );
    let interfaces = format!("wasi:keyvalue/store@{version}; import wasi:keyvalue/atomics@{version}");
    guests::importing_from(&package, &interfaces, &imports, misbehave)
}

/// Adds 1 to a number in the store, and responds with it as it is stored.
const COUNTS: &str = r#"
  (data (i32.const 1024) "default") (data (i32.const 1040) "visits")
  (func $misbehave (param $out i32)
    (local $stream i32) (local $bucket i32)
    (call $open (i32.const 1024) (i32.const 7) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (local.set $bucket (i32.load (i32.const 260)))
    (call $increment (local.get $bucket) (i32.const 1040) (i32.const 6) (i64.const 1) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (call $get (local.get $bucket) (i32.const 1040) (i32.const 6) (i32.const 256))
    (if (i32.ne (i32.load8_u (i32.const 260)) (i32.const 1)) (then unreachable))
    (call $drop_bucket (local.get $bucket))
    (i64.store (i32.const 1200) (i64.load (i32.const 264)))
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.load (i32.const 1200)) (i32.load (i32.const 1204)))
    (call $end (local.get $stream)))
"#;

/// Stores values of 1 MiB under new keys until that fails, and responds with the error.
const FILLS_THE_STORE: &str = r#"
  (data (i32.const 1024) "full") (data (i32.const 1040) "ab")
  (func $misbehave (param $out i32)
    (local $stream i32) (local $bucket i32)
    (drop (memory.grow (i32.const 16)))
    (call $open (i32.const 1024) (i32.const 4) (i32.const 256))
    (local.set $bucket (i32.load (i32.const 260)))
    (loop $again
      (i32.store8 (i32.const 1040) (i32.add (i32.load8_u (i32.const 1040)) (i32.const 1)))
      (call $set_value (local.get $bucket) (i32.const 1040) (i32.const 2) (i32.const 131072) (i32.const 1048576)
        (i32.const 256))
      (br_if $again (i32.eqz (i32.load8_u (i32.const 256)))))
    (i64.store (i32.const 1200) (i64.load (i32.const 264)))
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.load (i32.const 1200)) (i32.load (i32.const 1204)))
    (call $end (local.get $stream)))
"#;

/// Stores a value forever.
const WRITES_IN_A_LOOP: &str = r#"
  (data (i32.const 1024) "loop")
  (func $misbehave (param $out i32)
    (local $bucket i32)
    (call $open (i32.const 1024) (i32.const 4) (i32.const 256))
    (local.set $bucket (i32.load (i32.const 260)))
    (loop $again
      (call $set_value (local.get $bucket) (i32.const 1024) (i32.const 4) (i32.const 0) (i32.const 65536)
        (i32.const 256))
      (br $again)))
"#;

fn write_guest(folder: &Path, component: &[u8]) -> PathBuf {
    let path = folder.join("guest.wasm");
    fs::write(&path, component).unwrap();
    path
}

fn start(guest: &Path, options: &[&str]) -> Server {
    Server::start(&[&["--camera", "emulated", "--guest", guest.to_str().unwrap()], options].concat())
}

fn count(server: &Server) -> u64 {
    get(server.address, "/count").text().parse().unwrap()
}

#[test]
fn a_count_survives_swaps_and_with_a_store_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let component = guest("draft", COUNTS);
    let path = write_guest(folder.path(), &component);
    let store = folder.path().join("store");
    let options = ["--guest-store", store.to_str().unwrap()];
    for options in [&[][..], &options] {
        let server = start(&path, options);
        assert_eq!([count(&server), count(&server)], [1, 2]);
        assert_eq!(server.put_guest(&guests::variant(&component, 1)).status, 200);
        assert_eq!(count(&server), 3);
        let in_grants = server.generations()["grants"]["store"].as_str().map(str::to_owned);
        assert_eq!(in_grants.as_deref(), options.get(1).copied());
    }
    assert_eq!(count(&start(&path, &options)), 4);
    assert_eq!(count(&start(&path, &[])), 1);
}

#[test]
fn guests_of_both_drafts_share_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&write_guest(folder.path(), &guest("draft", COUNTS)), &[]);
    assert_eq!(count(&server), 1);
    assert_eq!(server.put_guest(&guest("draft2", COUNTS)).status, 200);
    assert_eq!(count(&server), 2);
}

#[test]
fn a_hundred_concurrent_increments_lose_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let path = write_guest(folder.path(), &guest("draft2", COUNTS));
    let server = start(&path, &["--guest-store", store.to_str().unwrap()]);
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| (0..5).map(|_| count(&server)).max());
        }
    });
    assert_eq!(count(&server), 101);
}

#[test]
fn a_full_store_is_an_error_for_the_guest_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&write_guest(folder.path(), &guest("draft", FILLS_THE_STORE)), &[]);
    let before = server.memory_kib();
    for _ in 0..10 {
        assert_eq!(get(server.address, "/full").text(), "the store is full: its keys and values take up 8 MiB");
        assert_eq!(get(server.address, "/ok").text(), "ok\n");
    }
    let growth = server.memory_kib() - before;
    assert!(growth < 64 << 10, "{growth} KiB");
}

#[test]
fn what_was_stored_survives_a_kill_in_the_middle_of_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_guest(folder.path(), &guest("draft", COUNTS));
    let store = folder.path().join("store");
    let options = ["--guest-store", store.to_str().unwrap()];
    let mut acknowledged = 0;
    for _ in 0..4 {
        let mut server = start(&path, &options);
        let highest = AtomicU64::new(acknowledged);
        thread::scope(|scope| {
            for _ in 0..4 {
                // Until the server is killed.
                scope.spawn(|| {
                    loop {
                        let Ok((reply, Ok(()))) =
                            std::panic::catch_unwind(|| try_request(server.address, "GET", "/count"))
                        else {
                            return;
                        };
                        highest.fetch_max(reply.text().parse().unwrap_or(0), Ordering::Relaxed);
                    }
                });
            }
            wait_until("some counts are acknowledged", || highest.load(Ordering::Relaxed) > acknowledged + 20);
            server.signal(Signal::KILL);
        });
        server.wait();
        let highest = highest.into_inner();
        let server = start(&path, &options);
        let next = count(&server);
        assert!(next > highest, "{next} after {highest}");
        acknowledged = next;
    }
}

#[test]
fn a_store_that_cannot_be_used_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let error = |store: &Path| {
        let output = start_failing(["--camera", "emulated", "--guest-store", store.to_str().unwrap()]);
        String::from_utf8(output.stderr).unwrap()
    };
    let server = Server::start(&["--camera", "emulated", "--guest-store", store.to_str().unwrap()]);
    assert!(server.log().contains("grants: store /"), "{}", server.log());
    assert!(error(&store).contains("is in use by another server; each server needs its own"), "{}", error(&store));
    drop(server);
    let text = folder.path().join("text");
    fs::write(&text, "not a database\n".repeat(1000)).unwrap();
    assert!(error(&text).contains("is not a store of Hotshoe"), "{}", error(&text));
    let mut damaged = fs::read(&store).unwrap();
    damaged.truncate(damaged.len() / 2);
    fs::write(&store, damaged).unwrap();
    assert!(error(&store).contains("restore it from a backup, or move it away"), "{}", error(&store));
}

#[test]
fn a_guest_that_writes_in_a_loop_harms_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let path = write_guest(folder.path(), &guest("draft", WRITES_IN_A_LOOP));
    let server = start(&path, &["--guest-store", store.to_str().unwrap(), "--answer-timeout", "3"]);
    thread::scope(|scope| {
        let loops: Vec<_> = (0..20).map(|_| scope.spawn(|| get(server.address, "/loop").status)).collect();
        wait_until("the store has grown", || fs::metadata(&store).unwrap().len() > 64 << 10);
        let mut answered = 0;
        while !loops.iter().any(thread::ScopedJoinHandle::is_finished) {
            assert_eq!(get(server.address, "/ok").text(), "ok\n");
            answered += 1;
        }
        // The last one may have waited.
        assert!(answered > 1, "requests waited for the loops");
        for ended in loops {
            assert_eq!(ended.join().unwrap(), 504);
        }
    });
    let size = fs::metadata(&store).unwrap().len();
    assert!(size < 16 << 20, "the file has {size} bytes");
}
