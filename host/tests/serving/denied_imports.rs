//! Files, sockets and outgoing HTTP. Guests may import them, because toolchains add these imports to every program, but
//! every call fails with an error of the interface.

use hotshoe_test_support::client::get;
use hotshoe_test_support::guests;
use hotshoe_test_support::server::{Server, run};

/// The imports of the denied interfaces.
const DENIED_IMPORTS: &str = r#"
  (import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
  (import "wasi:sockets/tcp-create-socket@0.2.12" "create-tcp-socket" (func $tcp (param i32 i32)))
  (import "wasi:sockets/udp-create-socket@0.2.12" "create-udp-socket" (func $udp (param i32 i32)))
  (import "wasi:sockets/instance-network@0.2.12" "instance-network" (func $network (result i32)))
  (import "wasi:sockets/ip-name-lookup@0.2.12" "resolve-addresses" (func $resolve (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $outgoing (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority"
    (func $set_authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-path-with-query"
    (func $set_path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/outgoing-handler@0.2.12" "handle" (func $send (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]future-incoming-response.subscribe"
    (func $responded (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]future-incoming-response.get" (func $get_response (param i32 i32)))
"#;

/// Calls each denied interface and responds with one byte for each: the number of preopened directories, then the error
/// codes of TCP, UDP, name resolution and an outgoing request.
const CALLS_EVERY_DENIED_IMPORT: &str = r#"
  (data (i32.const 1024) "localhost")
  (func $misbehave (param $out i32)
    (local $stream i32) (local $handle i32)
    (call $directories (i32.const 256))
    (i32.store8 (i32.const 1100) (i32.load (i32.const 260)))
    (call $tcp (i32.const 0) (i32.const 256))
    (if (i32.eqz (i32.load8_u (i32.const 256))) (then unreachable))
    (i32.store8 (i32.const 1101) (i32.load8_u (i32.const 260)))
    (call $udp (i32.const 0) (i32.const 256))
    (if (i32.eqz (i32.load8_u (i32.const 256))) (then unreachable))
    (i32.store8 (i32.const 1102) (i32.load8_u (i32.const 260)))
    (call $resolve (call $network) (i32.const 1024) (i32.const 9) (i32.const 256))
    (if (i32.eqz (i32.load8_u (i32.const 256))) (then unreachable))
    (i32.store8 (i32.const 1103) (i32.load8_u (i32.const 260)))
    (local.set $handle (call $outgoing (call $fields)))
    (drop (call $set_authority (local.get $handle) (i32.const 1) (i32.const 1024) (i32.const 9)))
    (drop (call $set_path (local.get $handle) (i32.const 1) (i32.const 80) (i32.const 3)))
    (call $send (local.get $handle) (i32.const 0) (i32.const 0) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (local.set $handle (i32.load (i32.const 264)))
    (call $block (call $responded (local.get $handle)))
    (call $get_response (local.get $handle) (i32.const 256))
    (if (i32.eqz (i32.load8_u (i32.const 272))) (then unreachable))
    (i32.store8 (i32.const 1104) (i32.load8_u (i32.const 280)))
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.const 1100) (i32.const 5))
    (call $end (local.get $stream)))
"#;

/// `access-denied` of `wasi:sockets/network`.
const ACCESS_DENIED: u8 = 1;
/// `permanent-resolver-failure` of `wasi:sockets/network`.
const PERMANENT_RESOLVER_FAILURE: u8 = 20;
/// `HTTP-request-denied` of `wasi:http/types`.
const HTTP_REQUEST_DENIED: u8 = 15;

#[test]
fn files_sockets_and_outgoing_requests_are_denied_with_the_errors_of_their_interfaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    std::fs::write(&path, guests::importing(DENIED_IMPORTS, CALLS_EVERY_DENIED_IMPORT)).unwrap();
    let imports = run(["guest".as_ref(), "imports".as_ref(), path.as_os_str()]);
    let imports = String::from_utf8(imports.stdout).unwrap();
    let denied: Vec<_> = imports.lines().filter_map(|line| line.strip_suffix("@0.2.12: denied")).collect();
    let expected = [
        "wasi:filesystem/preopens",
        "wasi:http/outgoing-handler",
        "wasi:sockets/instance-network",
        "wasi:sockets/ip-name-lookup",
        "wasi:sockets/network",
        "wasi:sockets/tcp-create-socket",
        "wasi:sockets/udp-create-socket",
    ];
    assert!(expected.iter().all(|interface| denied.contains(interface)), "{imports}");
    let server = Server::start(&["--camera", "emulated", "--guest", path.to_str().unwrap()]);
    let reply = get(server.address, "/bad");
    assert_eq!(reply.body, [0, ACCESS_DENIED, ACCESS_DENIED, PERMANENT_RESOLVER_FAILURE, HTTP_REQUEST_DENIED]);
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}
