//! Candidates that must never serve: each is refused with its reason, in the answer and in the log, and the
//! guest that serves goes on.

use std::fs;
use std::io::Write as _;

use hotshoe_test_support::client::{Viewer, connect, get, read_head, send};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::{Server, run};

/// Offer this by the admin listener, by the watched file, and at the start.
#[track_caller]
fn refused(candidate: &[u8], status: u16, reason: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    fs::write(&file, guests::built_in()).unwrap();
    let path = file.to_str().unwrap();
    let limits = ["--camera", "emulated,fps=20", "--answer-timeout", "1", "--guest-memory", "8"];
    let server = Server::start(&[&limits[..], &["--guest", path, "--watch"]].concat());
    let mut viewer = Viewer::watch(server.address, "/video_feed");

    let reply = server.put_guest(candidate);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(reply.status, status, "{error}");
    assert!(error.contains("the uploaded guest") && error.contains(reason), "{error}");
    server.wait_for_log(&format!("guest not replaced, generation 1 continues: {error}"));
    assert_eq!(server.generations()["refused"]["reason"], error);

    fs::write(&file, candidate).unwrap();
    let line = server.wait_for_logs("guest not replaced, generation 1 continues: ", 2);
    assert!(line.contains(&format!("{path} ")) && line.contains(reason), "{line}");

    assert_eq!(server.generation(), 1);
    assert_eq!(get(server.address, "/snapshot").status, 200);
    // It goes on without a break.
    for _ in 0..10 {
        viewer.part();
    }

    let output = run([&limits[..], &["--guest", path, "--listen", "127.0.0.1:0", "--admin", "off"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.lines().last().unwrap().starts_with(&format!("error: {path} ")) && stderr.contains(reason),
        "{stderr}"
    );
}

#[test]
fn random_bytes() {
    let noise: Vec<u8> = (0..100_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    refused(&noise, 422, "is not a WebAssembly component");
}

#[test]
fn nothing_at_all() {
    refused(b"", 422, "is not a WebAssembly component");
}

#[test]
fn a_component_that_is_cut_off() {
    let built_in = guests::built_in();
    refused(&built_in[..built_in.len() * 2 / 3], 422, "is not a valid component");
}

#[test]
fn a_core_module() {
    refused(&wat::parse_str("(module)").unwrap(), 422, "is a core module, not a component");
}

#[test]
fn machine_code_that_was_compiled_before() {
    let precompiled = wasmtime::Engine::default().precompile_component(&guests::built_in()).unwrap();
    refused(&precompiled, 422, "is precompiled machine code, which is never loaded");
}

#[test]
fn a_component_that_wants_sockets() {
    let component = r#"(component (import "wasi:sockets/tcp@0.2.0" (instance (export "connect" (func)))))"#;
    refused(&wat::parse_str(component).unwrap(), 422, "wasi:sockets/tcp@0.2.0");
}

#[test]
fn a_component_that_cannot_be_called() {
    refused(&wat::parse_str("(component)").unwrap(), 422, "does not export wasi:http/incoming-handler");
}

#[test]
fn one_that_traps_when_it_is_tried() {
    refused(&guests::misbehaving_at_once(guests::TRAPS), 422, "failed its test request, GET /: the guest trapped");
}

#[test]
fn one_that_traps_in_the_middle_of_the_answer_when_it_is_tried() {
    let candidate = guests::misbehaving_at_once(guests::TRAPS_IN_MID_STREAM);
    refused(&candidate, 422, "failed its test request, GET /: the guest trapped");
}

#[test]
fn one_that_spins_when_it_is_tried() {
    let candidate = guests::misbehaving_at_once(guests::SPINS);
    refused(&candidate, 422, "failed its test request, GET /: the guest did not start its response within 1 seconds");
}

#[test]
fn one_that_spins_in_the_middle_of_the_answer_when_it_is_tried() {
    let candidate = guests::misbehaving_at_once(guests::SPINS_IN_MID_STREAM);
    refused(&candidate, 422, "failed its test request, GET /: the guest computed for 2 seconds without waiting");
}

#[test]
fn one_that_does_not_answer_when_it_is_tried() {
    let candidate = guests::misbehaving_at_once(guests::RETURNS_WITHOUT_ANSWER);
    refused(&candidate, 422, "failed its test request, GET /: the guest returned without a response");
}

#[test]
fn one_that_needs_more_memory_than_there_is() {
    let component = guests::needing_memory(9 << 20);
    refused(&component, 422, "is not a valid component");
}

#[test]
fn two_hundred_megabytes() {
    let mut candidate = guests::built_in();
    candidate.resize(200 << 20, 0);
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let before = server.peak_memory_kib();
    let reply = server.put_guest(&candidate);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(reply.status, 413);
    assert!(error.contains("is larger than 64 MiB"), "{error}");
    server.wait_for_log(&format!("not replaced: {error}"));
    assert!(server.peak_memory_kib() - before < 8 << 10, "it was told the length, and kept nothing");

    // In pieces, without saying how much it will be.
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
    // At most one component that could have been taken, in a list that grows by doubling.
    assert!(server.peak_memory_kib() - before < 200 << 10);

    // A client that asks before it sends, as curl does, is answered before it has sent anything.
    let asked = send(
        server.admin.unwrap(),
        "PUT",
        "/guest",
        &[("Expect", "100-continue"), ("Content-Length", &candidate.len().to_string())],
        b"",
    );
    assert_eq!(asked.status, 413);
    assert_eq!(server.generation(), 1);

    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &candidate).unwrap();
    let output = run(["--camera", "emulated", "--guest", file.path().to_str().unwrap()]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("is larger than 64 MiB"), "{stderr}");
}
