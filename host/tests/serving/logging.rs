//! The log never blocks the server, and limits the lines that clients and guests can cause.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::{guests, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// `wasi:logging`, which `wit/` lacks.
const LOGGING_PACKAGE: &str = "{
    interface logging {
        enum level { trace, debug, info, warn, error, critical }
        log: func(level: level, context: string, message: string);
    }
}";

/// Logs `begun` and an empty line at each level, in the context `full`; then 4 KiB at the level `info` without context.
const LOGS: &str = r#"
  (func $misbehave (param $out i32)
    (local $stream i32) (local $level i32)
    (loop $again
      (call $log (local.get $level) (i32.const 64) (i32.const 4) (i32.const 32) (i32.const 6))
      (local.set $level (i32.add (local.get $level) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $level) (i32.const 6))))
    (memory.fill (i32.const 8192) (i32.const 0x78) (i32.const 4096))
    (call $log (i32.const 2) (i32.const 64) (i32.const 0) (i32.const 8192) (i32.const 4096))
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.const 16) (i32.const 3))
    (call $end (local.get $stream)))
"#;

/// The number of suppressed lines that contain `text`, from their summary.
fn suppressed(log: &str, text: &str) -> usize {
    let is_summary = |line: &&str| line.contains(" more like this: ") && line.contains(text);
    let line = log.lines().find(is_summary).unwrap_or_else(|| panic!("no summary:\n{log}"));
    line.split_once('+').unwrap().1.split_once(' ').unwrap().0.parse().unwrap()
}

#[test]
fn log_lines_about_requests_are_limited_and_the_rest_is_counted() {
    const REQUESTS: usize = 200;
    const WRITTEN: usize = 20;
    let mut server = Server::start(&["--camera", "emulated", "--max-requests", "1"]);
    let viewer = Viewer::watch(server.address, "/video_feed");
    for number in 0..REQUESTS {
        // Different paths do not raise the limit.
        assert_eq!(get(server.address, &format!("/video_feed?{number}")).status, 503);
    }
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    drop(viewer);
    server.wait_for_log(" more like this: ");
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains(": 503, ") && !line.contains("more like this")).count();
    let suppressed = suppressed(&log, ": 503, ");
    // On a slow machine, the requests take more than one window.
    assert!(lines >= WRITTEN && lines + suppressed <= REQUESTS && suppressed > 0, "{lines} lines:\n{log}");
}

#[test]
fn log_lines_of_a_guest_that_prints_endlessly_are_limited() {
    const PRINTED: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::PRINTS);
    let mut server = Server::start(&["--camera", "emulated", "--guest", guest.to_str().unwrap()]);
    assert_eq!(get(server.address, "/bad").text(), "ok\n");
    server.wait_for_log("generation 1: guest stdout: begun");
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    server.wait_for_log(" more like this: ");
    let log = server.log();
    let lines = log.lines().filter(|line| line.ends_with("guest stdout: begun")).count();
    assert!(lines < PRINTED / 2 && suppressed(&log, "guest stdout: begun") > 0, "{lines} lines:\n{log}");
}

#[test]
fn standard_error_of_a_guest_is_logged_as_a_warning_and_standard_output_as_information() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::WRITES_TO_BOTH_OUTPUTS);
    let server = Server::start(&["--camera", "emulated", "--guest", guest.to_str().unwrap()]);
    assert_eq!(get(server.address, "/bad").text(), "ok\n");
    server.wait_for_log(" WARN generation 1: guest stderr: begun");
    server.wait_for_log(" INFO generation 1: guest stdout: begun");
}

/// The server logs far more than a pipe holds. Only the log's own thread blocks.
#[test]
fn a_reader_of_standard_error_that_stops_blocks_nothing() {
    const REQUESTS: usize = 1500;
    let mut command = command();
    command.args(["--camera", "emulated", "--listen", "127.0.0.1:0", "--admin", "off"]);
    // The limit does not apply to this level.
    command.env("RUST_LOG", "hotshoe=debug").stdin(Stdio::null()).stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut stderr = BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("open http://") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "the server ended");
    }
    let address = line.split_once("http://").unwrap().1.trim_end().trim_end_matches('/').parse().unwrap();
    // The log shows 200 bytes of a path, so 300 kB in total. A pipe holds 64 KiB (pipe(7)).
    let path = format!("/{}", "x".repeat(300));
    for _ in 0..REQUESTS {
        assert_eq!(get(address, &path).status, 404);
    }
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    wait_until("the server ends", || server.try_wait().unwrap().is_some());
    assert!(server.wait().unwrap().success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let lines = rest.matches("GET /xxx").count();
    assert!((1..REQUESTS).contains(&lines), "{lines} of {REQUESTS} lines were written");
}

#[test]
fn the_log_shows_how_many_lines_were_dropped() {
    const REQUESTS: usize = 3000;
    let mut command = command();
    command.args(["--camera", "emulated", "--listen", "127.0.0.1:0", "--admin", "off"]);
    command.env("RUST_LOG", "hotshoe=debug").stdin(Stdio::null()).stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("open http://")).unwrap();
    let address = line.split_once("http://").unwrap().1.trim_end_matches('/').parse().unwrap();
    let path = format!("/{}", "x".repeat(300));
    for _ in 0..REQUESTS {
        assert_eq!(get(address, &path).status, 404);
    }
    let line = lines.find(|line| line.contains(" log lines were dropped")).unwrap();
    let dropped: usize = line.split_once("WARN ").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
    assert!((1..REQUESTS).contains(&dropped), "{line}");
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    lines.for_each(drop);
    assert!(server.wait().unwrap().success());
}

/// Logs a message of 69,999 bytes that consists of this character, of one or three bytes, at the level `info`.
fn logs_a_long_message(character: &str) -> String {
    let bytes: String = character.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(data (i32.const 8192) "{bytes}")
  (func $misbehave (param $out i32)
    (local $stream i32) (local $length i32)
    (drop (memory.grow (i32.const 2)))
    ;; Repeats the character.
    (local.set $length (i32.const {length}))
    (loop $again
      (memory.copy (i32.add (i32.const 8192) (local.get $length)) (i32.const 8192) (i32.const {length}))
      (local.set $length (i32.add (local.get $length) (i32.const {length})))
      (br_if $again (i32.lt_u (local.get $length) (i32.const 69999))))
    (call $log (i32.const 2) (i32.const 64) (i32.const 0) (i32.const 8192) (i32.const 69999))
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.const 16) (i32.const 3))
    (call $end (local.get $stream)))"#,
        length = character.len()
    )
}

#[test]
fn of_a_long_message_of_wasi_logging_the_start_is_logged_and_the_rest_counted() {
    let package = format!("package wasi:logging {LOGGING_PACKAGE}");
    let import = r#"(import "wasi:logging/logging" "log" (func $log (param i32 i32 i32 i32 i32)))"#;
    let folder = tempfile::tempdir().unwrap();
    let guest = folder.path().join("guest.wasm");
    // The limit of 65,536 bytes is within a character of three bytes.
    for (character, left_out) in [("x", 69_999 - 65_536), ("€", 69_999 - 65_535)] {
        std::fs::write(
            &guest,
            guests::importing_from(&package, "wasi:logging/logging", import, &logs_a_long_message(character)),
        )
        .unwrap();
        let server = Server::start(&["--camera", "emulated", "--guest", guest.to_str().unwrap()]);
        assert_eq!(get(server.address, "/bad").text(), "ok\n");
        server.wait_for_log(&format!("guest log: a long message; its last {left_out} bytes are left out"));
        wait_until("the start is logged", || {
            server.log().lines().filter(|line| line.contains(&format!("guest log: {character}"))).count() > 0
        });
        let lines = server.log().lines().filter(|line| line.contains("guest log: ")).count();
        assert!(lines <= 65, "{lines} lines");
    }
}

#[test]
fn messages_of_wasi_logging_are_logged_with_their_level_and_context() {
    let folder = tempfile::tempdir().unwrap();
    for version in ["@0.1.0-draft", ""] {
        let import =
            format!(r#"(import "wasi:logging/logging{version}" "log" (func $log (param i32 i32 i32 i32 i32)))"#);
        let package = format!("package wasi:logging{version} {LOGGING_PACKAGE}");
        let interface = format!("wasi:logging/logging{version}");
        let guest = folder.path().join("guest.wasm");
        std::fs::write(&guest, guests::importing_from(&package, &interface, &import, LOGS)).unwrap();
        let mut command = command();
        command.env("RUST_LOG", "info,guest=trace").args(["--camera", "emulated", "--guest", guest.to_str().unwrap()]);
        let server = Server::start_command(command);
        assert_eq!(get(server.address, "/bad").text(), "ok\n");
        server.wait_for_log("guest log: xxx");
        let log = server.log();
        let count = |text: &str| log.lines().filter(|line| line.ends_with(text)).count();
        for (level, lines) in [("TRACE", 1), ("DEBUG", 1), ("INFO", 1), ("WARN", 1), ("ERROR", 2)] {
            assert_eq!(count(&format!("{level} generation 1: guest log: full: begun")), lines, "{level}:\n{log}");
        }
        assert_eq!(count("guest log: full:"), 0, "no empty lines:\n{log}");
        wait_until("all parts of the long line are logged", || {
            let part = format!("guest log: {}", "x".repeat(1024));
            server.log().lines().filter(|line| line.ends_with(&part)).count() == 4
        });
    }
}
