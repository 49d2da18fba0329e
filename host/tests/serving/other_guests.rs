//! Guests other than the built-in one, and the imports of guests.

use hotshoe_test_support::client::get;
use hotshoe_test_support::guests;
use hotshoe_test_support::server::{Server, run, start_failing};

/// Everything that the built-in guest imports. SECURITY.md relies on this list, so additions need a reason.
/// Standard error is for the messages of panics.
const IMPORTS: &str = "\
wasi:io/error@0.2.12: granted
wasi:io/poll@0.2.12: granted
    [method]pollable.block
    poll
wasi:io/streams@0.2.12: granted
    [method]input-stream.blocking-read
    [method]output-stream.check-write
    [method]output-stream.write
    [method]output-stream.blocking-write-and-flush
    [method]output-stream.subscribe
    [method]output-stream.splice
wasi:cli/stderr@0.2.12: granted
    get-stderr
wasi:clocks/monotonic-clock@0.2.12: granted
    now
    subscribe-instant
wasi:clocks/wall-clock@0.2.12: granted
    now
wasi:http/types@0.2.12: granted
    [constructor]fields
    [method]fields.get
    [method]fields.append
    [method]incoming-request.method
    [method]incoming-request.path-with-query
    [method]incoming-request.headers
    [method]incoming-request.consume
    [static]response-outparam.set
    [method]incoming-body.stream
    [static]incoming-body.finish
    [constructor]outgoing-response
    [method]outgoing-response.set-status-code
    [method]outgoing-response.body
    [method]outgoing-body.write
    [static]outgoing-body.finish
hotshoe:camera/frames@0.2.0: granted
    [method]image.info
    [method]image.read-via-stream
hotshoe:camera/cameras@0.2.0: granted
    [constructor]watcher
    [method]watcher.changed
    [method]watcher.subscribe
    [static]feed.open
    [method]feed.next
    [method]feed.blocking-next
    [method]feed.placeholder
    [method]feed.subscribe
    [method]feed.camera
    list-cameras
    list-filters
    get-frame
hotshoe:server/channels@0.2.0: granted
    [method]channel.name
    [method]channel.push
    [method]channel.push-frames
    join
    join-all
    count-viewers
    list-viewers
hotshoe:server/events@0.2.0: granted
    list-events
    get-image
    subscribe
hotshoe:server/generations@0.2.0: granted
    get-generation
hotshoe:server/instances@0.2.0: granted
    allow-reuse
hotshoe:server/results@0.2.0: granted
    [static]reader.open
    [method]reader.next
    [method]reader.subscribe
    list-zones
    get-entry
    get-newest-entry
hotshoe:camera/controls@0.2.0: granted
    blocking-list-controls
    blocking-set-control
hotshoe:camera/history@0.2.0: granted
    list-entries
";

#[test]
fn the_built_in_guest_imports_only_what_it_needs() {
    let output = run(["guest", "imports"]);
    assert!(output.status.success());
    let imports = String::from_utf8(output.stdout).unwrap();
    assert_eq!(imports, IMPORTS);
    // No image ever enters its memory.
    assert!(!imports.contains("image.read\n"));
}

#[test]
fn the_imports_of_any_component_can_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    let imports = |component: &str| {
        std::fs::write(&path, wat::parse_str(component).unwrap()).unwrap();
        let output = run(["guest".as_ref(), "imports".as_ref(), path.as_os_str()]);
        String::from_utf8(output.stdout).unwrap()
    };
    // Even of a component that would be refused, so that its author can find out why.
    let component = r#"(component (import "wasi:sockets/tcp@0.2.0" (instance (export "connect" (func)))))"#;
    assert_eq!(imports(component), "wasi:sockets/tcp@0.2.0: missing\n    connect\n");
    // Names cannot change the colours of the terminal.
    let component = r#"(component (import "a\1b[31m" (instance (export "b\1b[0m" (func)))))"#;
    assert_eq!(imports(component), "a[31m: missing\n    b[0m\n");
}

#[test]
fn imports_are_marked_by_what_drivers_and_filters_may_use() {
    let folder = tempfile::tempdir().unwrap();
    let imports: String = [
        ("hotshoe:camera/capture@0.2.0", "push"),
        ("hotshoe:camera/cameras@0.2.0", "list-cameras"),
        ("hotshoe:server/generations@0.2.0", "get-generation"),
        ("hotshoe:camera/pixels@0.2.0", "decode"),
        ("wasi:filesystem/preopens@0.2.0", "get-directories"),
        ("wasi:http/outgoing-handler@0.2.0", "handle"),
        ("wasi:sockets/instance-network@0.2.0", "instance-network"),
        ("wasi:clocks/monotonic-clock@0.3.0", "now"),
    ]
    .map(|(interface, function)| format!(r#"(import "{interface}" (instance (export "{function}" (func))))"#))
    .concat();
    let marks = |exports: &[&str]| -> Vec<String> {
        let exports: String = exports.iter().map(|name| format!(r#"(export "{name}" (instance $empty))"#)).collect();
        let component = format!("(component {imports} (instance $empty) {exports})");
        let path = folder.path().join("component.wasm");
        std::fs::write(&path, wat::parse_str(component).unwrap()).unwrap();
        // What is granted to the guest is not granted to the components of cameras.
        let arguments = ["--guest-dir", ".", "--allow-outgoing", "http://127.0.0.1:1"].map(AsRef::as_ref);
        let output = run(["guest".as_ref(), "imports".as_ref(), path.as_os_str()].into_iter().chain(arguments));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with(' '));
        lines.map(|line| line.split_once(": ").map_or(line, |(_, mark)| mark).to_owned()).collect()
    };
    let useless = "useless to filters, which see neither cameras nor channels";
    let as_guest = ["missing", "granted", "granted", "granted", "granted", "granted", "denied", "granted"];
    let as_driver = [
        "granted",
        "missing",
        "missing",
        "missing",
        "denied without dir= of its camera",
        "denied without allow-outgoing= of its camera",
        "denied",
        "missing",
    ];
    let as_filter = ["missing", useless, useless, "granted", "denied", "denied", "denied", "granted"];
    let (handler, source, filter) =
        ("wasi:http/incoming-handler@0.2.0", "hotshoe:camera/source@0.2.0", "hotshoe:camera/filter@0.2.0");
    assert_eq!(marks(&[handler]), as_guest);
    assert_eq!(marks(&["hotshoe:camera/filter@0.9.0"]), as_guest, "in no version that the host calls");
    assert_eq!(marks(&[source]), [&["As the driver of a camera:"][..], &as_driver].concat());
    let both = [&["As a guest:"][..], &as_guest, &["As a filter of a camera:"], &as_filter].concat();
    assert_eq!(marks(&[filter, handler]), both);
}

#[test]
fn imports_of_the_rust_standard_library_are_provided() {
    // `std` imports these, the last one for `HashMap`. The component passes the check of its imports and is refused
    // only because it exports no handler.
    let component = r#"(component
        (import "wasi:cli/environment@0.2.6" (instance
            (export "get-environment" (func (result (list (tuple string string)))))))
        (import "wasi:cli/exit@0.2.6" (instance (export "exit" (func (param "status" (result))))))
        (import "wasi:random/random@0.2.6" (instance
            (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
        (import "wasi:random/insecure@0.2.6" (instance (export "get-insecure-random-u64" (func (result u64)))))
        (import "wasi:random/insecure-seed@0.2.6" (instance
            (export "insecure-seed" (func (result (tuple u64 u64)))))))"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    std::fs::write(&path, wat::parse_str(component).unwrap()).unwrap();
    let output = start_failing(["--camera", "emulated", "--guest", path.to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("does not export wasi:http/incoming-handler"), "{error}");
}

#[test]
fn another_guest_can_serve() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::TRAPS);
    let guest = guest.to_str().unwrap();
    let server = Server::start(&["--camera", "emulated", "--guest", guest]);
    assert!(server.log().contains(&format!("generation 1: serving {guest}, sha256 ")), "{}", server.log());
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}

#[test]
fn the_built_in_guest_saved_to_a_file_serves_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    assert!(run(["guest".as_ref(), "save".as_ref(), path.as_os_str()]).status.success());
    let server = Server::start(&["--camera", "emulated,fps=20", "--guest", path.to_str().unwrap()]);
    assert_eq!(get(server.address, "/snapshot").status, 200);
}
