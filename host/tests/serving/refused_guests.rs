//! Candidates that must never serve: each is refused, the response and the log give the reason, and the current guest
//! continues.

use std::fs;
use std::io::Write as _;

use hotshoe_test_support::client::{Viewer, connect, get, read_head, send};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::{Server, start_failing};

/// Offers a candidate through the admin listener, through the watched file, and at the start.
#[track_caller]
fn assert_refused(candidate: &[u8], reason: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    fs::write(&file, guests::built_in()).unwrap();
    let path = file.to_str().unwrap();
    let limits = ["--camera", "emulated,fps=20", "--answer-timeout", "1", "--guest-memory", "8"];
    let server = Server::start(&[&limits[..], &["--guest", path, "--watch"]].concat());
    let mut viewer = Viewer::watch(server.address, "/video_feed");

    let reply = server.put_guest(candidate);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(reply.status, 422, "{error}");
    assert!(error.contains("the uploaded guest") && error.contains(reason), "{error}");
    server.wait_for_log(&format!("guest not replaced, generation 1 continues: {error}"));
    assert_eq!(server.generations()["refused"]["reason"], error);

    fs::write(&file, candidate).unwrap();
    let line = server.wait_for_logs("guest not replaced, generation 1 continues: ", 2);
    assert!(line.contains(&format!("{path} ")) && line.contains(reason), "{line}");

    assert_eq!(server.generation(), 1);
    assert_eq!(get(server.address, "/snapshot").status, 200);
    // The stream continues without a break.
    for _ in 0..10 {
        viewer.part();
    }

    let output = start_failing([&limits[..], &["--guest", path]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.lines().last().unwrap().starts_with(&format!("error: {path} ")) && stderr.contains(reason),
        "{stderr}"
    );
}

#[test]
fn random_bytes_are_refused() {
    let random: Vec<u8> = (0..100_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_refused(&random, "is not a WebAssembly component");
}

#[test]
fn an_empty_file_is_refused() {
    assert_refused(b"", "is not a WebAssembly component");
}

#[test]
fn a_truncated_component_is_refused() {
    let built_in = guests::built_in();
    assert_refused(&built_in[..built_in.len() * 2 / 3], "is not a valid component");
}

#[test]
fn a_core_module_is_refused() {
    assert_refused(&wat::parse_str("(module)").unwrap(), "is a core module, not a component");
}

#[test]
fn precompiled_machine_code_is_refused() {
    let precompiled = wasmtime::Engine::default().precompile_component(&guests::built_in()).unwrap();
    assert_refused(&precompiled, "is precompiled machine code, which is never loaded");
}

#[test]
fn a_component_that_imports_an_unknown_version_is_refused() {
    let component = r#"(component (import "wasi:sockets/tcp@0.3.0" (instance (export "connect" (func)))))"#;
    assert_refused(&wat::parse_str(component).unwrap(), "wasi:sockets/tcp@0.3.0");
}

#[test]
fn a_component_with_millions_of_imports_is_refused_without_storing_them() {
    let import = b"\0\x01a\x01\0";
    let count = 10 << 20;
    let body = [&leb128(count)[..], &import.repeat(count as usize)].concat();
    let component = [&b"\0asm\x0d\0\x01\0\x0a"[..], &leb128(body.len() as u32), &body].concat();
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let before = server.peak_memory_kib();
    let reply = server.put_guest(&component);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(reply.status, 422, "{error}");
    assert!(error.contains("its imports, exports and types take up more than 1 MiB"), "{error}");
    // The component itself, in a vector that grows by doubling.
    assert!(server.peak_memory_kib() - before < 200 << 10);
}

#[test]
fn a_component_with_types_in_types_is_refused_without_exhausting_the_stack() {
    let types = [&b"\x01"[..], &b"\x42\x01\x01".repeat(100_000), b"\x7f"].concat();
    let component = [&b"\0asm\x0d\0\x01\0\x07"[..], &leb128(types.len() as u32), &types].concat();
    assert_refused(&component, "it has more than 10000 imports, exports and types");
}

/// Encodes a number as LEB128, in five bytes.
fn leb128(number: u32) -> [u8; 5] {
    std::array::from_fn(|n| (number >> (7 * n)) as u8 & 0x7f | if n < 4 { 0x80 } else { 0 })
}

#[test]
fn a_component_without_a_handler_is_refused() {
    assert_refused(&wat::parse_str("(component)").unwrap(), "does not export wasi:http/incoming-handler");
}

#[test]
fn a_guest_that_traps_on_the_first_request_is_refused() {
    assert_refused(&guests::misbehaving_at_once(guests::TRAPS), "failed its test request, GET /: the guest trapped");
}

#[test]
fn a_guest_that_traps_in_its_first_response_is_refused() {
    let candidate = guests::misbehaving_at_once(guests::TRAPS_IN_MID_STREAM);
    assert_refused(&candidate, "failed its test request, GET /: the guest trapped");
}

/// The guest that serves published the channel, and could be rolled back for that.
#[test]
fn a_candidate_that_joins_a_channel_does_not_make_the_current_guest_publish_it() {
    let server = Server::start(&["--camera", "emulated"]);
    let current = guests::publishing("d", guests::PUBLISHES_NOTHING_AND_TRAPS, "part");
    assert_eq!(server.put_guest(&current).status, 200);
    // It holds the channel for half a second.
    assert_eq!(server.put_guest(&guests::joining_and_refusing_at_once()).status, 422);
    assert!(!server.log().contains("channel c"), "{}", server.log());
    assert!(!server.log().contains("its publisher failed"), "{}", server.log());
    assert_eq!(server.generations()["current"]["failures"], 0);
}

#[test]
fn a_guest_that_loops_on_the_first_request_is_refused() {
    let candidate = guests::misbehaving_at_once(guests::SPINS);
    assert_refused(&candidate, "failed its test request, GET /: the guest did not start its response within 1 seconds");
}

#[test]
fn a_guest_that_loops_in_its_first_response_is_refused() {
    let candidate = guests::misbehaving_at_once(guests::SPINS_IN_MID_STREAM);
    assert_refused(&candidate, "failed its test request, GET /: the guest computed for 2 seconds without waiting");
}

#[test]
fn a_guest_that_does_not_respond_to_the_first_request_is_refused() {
    let candidate = guests::misbehaving_at_once(guests::RETURNS_WITHOUT_ANSWER);
    assert_refused(&candidate, "failed its test request, GET /: the guest returned without a response");
}

#[test]
fn a_guest_whose_first_response_is_a_long_error_is_refused_with_a_short_reason() {
    let candidate = guests::misbehaving_at_once(guests::REFUSES_AT_LENGTH);
    assert_refused(&candidate, r#"the guest responded with an error: ErrorCode::InternalError(Some("xxx"#);
    let server = Server::start(&["--camera", "emulated"]);
    let error = server.put_guest(&candidate).json()["error"].as_str().unwrap().to_owned();
    assert!(error.len() < 1000, "{} bytes", error.len());
}

#[test]
fn a_component_that_needs_more_memory_than_allowed_is_refused() {
    let component = guests::needing_memory(9 << 20);
    assert_refused(&component, "is not a valid component");
}

#[test]
fn a_component_of_80_megabytes_is_refused_without_being_stored() {
    let mut candidate = guests::built_in();
    candidate.resize(80 << 20, 0);
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let before = server.peak_memory_kib();
    let reply = server.put_guest(&candidate);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(reply.status, 413);
    assert!(error.contains("is larger than 64 MiB"), "{error}");
    server.wait_for_log(&format!("not replaced: {error}"));
    assert!(server.peak_memory_kib() - before < 8 << 10, "the server knew the length, and must not store anything");

    // In chunks, without announcing the length.
    let chunked = {
        let mut stream = connect(server.admin.unwrap());
        stream.write_all(b"PUT /guest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for chunk in candidate.chunks(1 << 20) {
            write!(stream, "{:x}\r\n", chunk.len()).unwrap();
            stream.write_all(chunk).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        read_head(&mut std::io::BufReader::new(stream)).0
    };
    assert_eq!(chunked, 413);
    // At most one component of the largest size accepted, in a vector that grows by doubling.
    assert!(server.peak_memory_kib() - before < 200 << 10);

    // A client that sends `Expect: 100-continue`, as curl does, is refused before it sends the body.
    let expecting = send(
        server.admin.unwrap(),
        "PUT",
        "/guest",
        &[("Expect", "100-continue"), ("Content-Length", &candidate.len().to_string())],
        b"",
    );
    assert_eq!(expecting.status, 413);
    assert_eq!(server.generation(), 1);

    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &candidate).unwrap();
    let output = start_failing(["--camera", "emulated", "--guest", file.path().to_str().unwrap()]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("is larger than 64 MiB"), "{stderr}");
}
