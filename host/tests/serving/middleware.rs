//! Middleware (`--wrap`): requests pass through it to the guest, and it is replaced and rolled back with the guest.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use hotshoe_test_support::client::{Viewer, get, request};
use hotshoe_test_support::guests;
use hotshoe_test_support::middleware::{NEVER_ANSWERS, PASSES_ON, PRINTS, TRAPS, middleware, of_release};
use hotshoe_test_support::server::{Server, run, start_failing};
use rustix::process::Signal;
use serde_json::json;

/// Writes a component to a folder, and returns its path.
fn write(folder: &Path, name: &str, component: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, component).unwrap();
    path
}

/// A server with one file of middleware.
struct Wrapped {
    server: Server,
    file: PathBuf,
    folder: tempfile::TempDir,
}

impl Wrapped {
    fn start(component: &[u8], options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = write(folder.path(), "outer.wasm", component);
        let mut args = vec!["--camera", "emulated,fps=20", "--wrap", file.to_str().unwrap()];
        args.extend(options);
        Self { server: Server::start(&args), file, folder }
    }

    /// Replaces the file by renaming, as build tools do.
    fn rename_into_place(&self, component: &[u8]) {
        fs::rename(write(self.folder.path(), "new", component), &self.file).unwrap();
    }
}

/// The requests of the built-in guest's viewers: the page, a snapshot, and a stream that a channel writes.
#[track_caller]
fn assert_serves(server: &Server) {
    assert_eq!(get(server.address, "/").status, 200);
    assert_eq!(get(server.address, "/snapshot").header("content-type"), Some("image/jpeg"));
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    viewer.part();
    viewer.part();
}

#[test]
fn requests_pass_through_the_middleware_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let outer = write(folder.path(), "outer.wasm", &middleware(PRINTS, "outermost"));
    let inner = write(folder.path(), "inner.wasm", &middleware(PRINTS, "innermost"));
    let (outer, inner) = (outer.to_str().unwrap(), inner.to_str().unwrap());
    let server = Server::start(&["--camera", "emulated,fps=20", "--wrap", outer, "--wrap", inner]);
    server.wait_for_log(&format!("generation 1: serving the built-in guest behind {inner} behind {outer}, sha256 "));
    assert_serves(&server);
    // The test request, the page, the snapshot and the stream.
    server.wait_for_logs("guest stdout: innermost", 4);
    let log = server.log();
    let lines: Vec<_> =
        log.lines().filter_map(|line| line.split_once("guest stdout: ")).map(|(_, text)| text).collect();
    assert_eq!(lines, ["outermost", "innermost"].repeat(4));
    let current = &server.generations()["current"];
    assert_eq!(current["from"], "the built-in guest");
    let files: Vec<_> = current["middleware"].as_array().unwrap().iter().map(|part| &part["from"]).collect();
    assert_eq!(files, [outer, inner]);
}

#[test]
fn every_release_of_wasi_composes_with_every_other() {
    for release in ["0.2.0", "0.2.6", "0.2.12"] {
        let Wrapped { server, .. } = Wrapped::start(&of_release(release, PRINTS, "passing on"), &[]);
        assert_serves(&server);
        server.wait_for_logs("guest stdout: passing on", 4);
    }
    // Two releases in front of a third.
    let folder = tempfile::tempdir().unwrap();
    let new = write(folder.path(), "new.wasm", &of_release("0.2.14", PRINTS, "newer"));
    let old = write(folder.path(), "old.wasm", &of_release("0.2.3", PRINTS, "older"));
    let server = Server::start(&[
        "--camera",
        "emulated,fps=20",
        "--wrap",
        new.to_str().unwrap(),
        "--wrap",
        old.to_str().unwrap(),
    ]);
    assert_serves(&server);
}

#[test]
fn a_component_that_cannot_be_middleware_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let assert_error = |name: &str, component: &[u8], message: &str| {
        let path = write(folder.path(), name, component);
        let output = start_failing(["--camera", "emulated", "--wrap", path.to_str().unwrap()]);
        let error = String::from_utf8(output.stderr).unwrap();
        let expected = format!("{} {message}", path.display());
        assert!(error.contains(&expected), "{expected:?} is missing: {error}");
    };
    let imports_handler = r#"(component (import "wasi:http/incoming-handler@0.2.0" (instance)))"#;
    let no_export = wat::parse_str(imports_handler).unwrap();
    assert_error(
        "no-export.wasm",
        &no_export,
        "does not export wasi:http/incoming-handler or wasi:http/handler, nor hotshoe:server/worker, so it cannot be",
    );
    let no_import = "does not import the interface of requests that it exports";
    assert_error("no-import.wasm", &guests::serving(guests::TRAPS), no_import);
    assert_error("module.wasm", &wat::parse_str("(module)").unwrap(), "is a core module, not a component");
    assert_error("text.wasm", b"text", "is not a WebAssembly component");
    let unknown = r#"(component (import "own:thing/x@1.0.0" (instance (export "f" (func)))))"#;
    let unknown = wat::parse_str(unknown).unwrap();
    assert_error("unknown.wasm", &unknown, "imports what this host does not provide: own:thing/x@1.0.0");
    let output = start_failing(["--camera", "emulated", "--wrap", "/nowhere/auth.wasm"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("cannot read the middleware /nowhere/auth.wasm"), "{error}");
}

#[test]
fn parts_that_do_not_fit_together_are_refused_with_the_reason() {
    // Its handler has a function that the guest's does not have.
    let component = r#"(component
        (import "wasi:http/incoming-handler@0.2.12" (instance $next (export "other" (func))))
        (export "wasi:http/incoming-handler@0.2.12" (instance $next)))"#;
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "odd.wasm", &wat::parse_str(component).unwrap());
    let output = start_failing(["--camera", "emulated", "--wrap", path.to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    let expected = format!("the built-in guest behind {} cannot be composed: ", path.display());
    assert!(error.contains(&expected) && error.contains("other"), "{error}");
}

#[test]
fn middleware_that_is_used_as_a_guest_is_refused_with_the_option_to_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "middleware.wasm", &middleware(PASSES_ON, ""));
    let output = start_failing(["--camera", "emulated", "--guest", path.to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    let (missing, advice) = ("does not provide: wasi:http/incoming-handler@0.2.12", "a guest behind it (--wrap FILE)");
    assert!(error.contains(missing) && error.contains(advice), "{error}");
    let output = run(["guest", "imports", path.to_str().unwrap()]);
    let imports = String::from_utf8(output.stdout).unwrap();
    assert!(imports.contains("wasi:http/incoming-handler@0.2.12: granted to middleware (--wrap)\n"), "{imports}");
}

#[test]
fn a_guest_that_replaces_another_is_behind_the_same_middleware() {
    let Wrapped { server, file, folder: _folder } = Wrapped::start(&middleware(PRINTS, "passing on"), &[]);
    let first = server.generations()["current"]["middleware"].clone();
    // What was loaded stays, even without its file.
    fs::remove_file(&file).unwrap();
    let reply = server.put_guest(&guests::serving(guests::TRAPS));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(server.generations()["current"]["middleware"], first);
    server.wait_for_logs("guest stdout: passing on", 2);
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    server.wait_for_logs("guest stdout: passing on", 3);
    // The same guest again changes nothing.
    server.put_guest(&guests::serving(guests::TRAPS));
    server.wait_for_log("generation 2 already runs this component");
    // A guest that fails is rolled back, and the middleware stays.
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    server.wait_for_log("generation 3: serving the built-in guest behind ");
    assert_serves(&server);
    assert_eq!(server.generations()["current"]["middleware"], first);
}

#[test]
fn workers_of_middleware_run_beside_that_of_the_guest() {
    const WAITS: &str = "(call $block (call $timer (i64.const 3600000000000)))";
    let folder = tempfile::tempdir().unwrap();
    let guest = write(folder.path(), "guest.wasm", &guests::working("(call $print_working)"));
    let waiting = write(folder.path(), "waiting.wasm", &guests::working_beside("watching", WAITS));
    let failing = write(folder.path(), "failing.wasm", &guests::working_beside("failing", "unreachable"));
    let printing = write(folder.path(), "printing.wasm", &middleware(PRINTS, "passing on"));
    let files = [&waiting, &printing, &failing].map(|file| file.to_str().unwrap());
    let [waiting, printing, failing] = files;
    let server = Server::start(&[
        "--camera",
        "emulated",
        "--guest",
        guest.to_str().unwrap(),
        "--wrap",
        waiting,
        "--wrap",
        printing,
        "--wrap",
        failing,
    ]);
    server.wait_for_log("generation 1: the worker has finished");
    server.wait_for_log("generation 1: guest stdout: watching");
    // Each is restarted by itself.
    server.wait_for_logs(&format!("generation 1: the worker of {failing} failed, restarting in "), 2);
    assert_eq!(server.log().matches("guest stdout: watching").count(), 1);
    assert_eq!(server.log().matches("guest stdout: working").count(), 1);
    // Requests pass through the middleware that has a handler.
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    server.wait_for_logs("guest stdout: passing on", 2);
    // Without middleware that has a handler, they reach the guest, and the built-in one has no worker.
    let server = Server::start(&["--camera", "emulated,fps=20", "--wrap", waiting]);
    server.wait_for_log("generation 1: guest stdout: watching");
    assert_serves(&server);
    assert_eq!(server.put_guest(&guests::serving(guests::TRAPS)).status, 200);
    server.wait_for_log("generation 2: guest stdout: watching");
}

#[test]
fn a_refused_guest_is_named_with_the_middleware() {
    let Wrapped { server, file, .. } = Wrapped::start(&middleware(PASSES_ON, ""), &[]);
    let reply = server.put_guest(&guests::misbehaving_at_once(guests::TRAPS));
    let expected = format!("the uploaded guest behind {} failed its test request", file.display());
    assert!(reply.status == 422 && reply.text().contains(&expected), "{}", reply.text());
    let reply = server.put_guest(&wat::parse_str("(component)").unwrap());
    let expected =
        "the uploaded guest does not export wasi:http/incoming-handler, so middleware cannot pass requests on";
    assert!(reply.text().contains(expected), "{}", reply.text());
    assert_serves(&server);
}

#[test]
fn changed_middleware_is_replaced_under_the_guest_that_serves() {
    let running = Wrapped::start(&middleware(PRINTS, "the first"), &["--watch"]);
    let Wrapped { server, file, .. } = &running;
    server.put_guest(&guests::serving(guests::TRAPS));
    running.rename_into_place(&middleware(PRINTS, "the second"));
    server.wait_for_log("generation 3: serving the uploaded guest behind ");
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    // The test request and this one.
    server.wait_for_logs("guest stdout: the second", 2);
    // Broken middleware is refused, and what serves continues.
    running.rename_into_place(b"text");
    let refusal = format!("generation 3 continues: {} is not a WebAssembly component", file.display());
    server.wait_for_log(&refusal);
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    running.rename_into_place(&middleware(PRINTS, "the third"));
    server.wait_for_log("generation 4: serving the uploaded guest behind ");
    // A rollback returns to the middleware before.
    assert_eq!(request(server.admin.unwrap(), "POST", "/guest/rollback").status, 200);
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    server.wait_for_logs("guest stdout: the second", 4);
}

#[test]
fn sighup_loads_the_middleware_again() {
    let running = Wrapped::start(&middleware(PRINTS, "the first"), &[]);
    running.server.signal(Signal::HUP);
    running.server.wait_for_log("generation 1 already runs this component");
    running.rename_into_place(&middleware(PRINTS, "the second"));
    running.server.signal(Signal::HUP);
    running.server.wait_for_log("generation 2: serving the built-in guest behind ");
    assert_serves(&running.server);
    running.server.wait_for_log("guest stdout: the second");
}

#[test]
fn viewers_stay_connected_while_middleware_is_replaced() {
    let running = Wrapped::start(&middleware(PASSES_ON, "1"), &["--watch"]);
    let mut viewer = Viewer::watch(running.server.address, "/video_feed");
    for generation in 2..5 {
        viewer.part();
        running.rename_into_place(&middleware(PASSES_ON, &generation.to_string()));
        running.server.wait_for_log(&format!("generation {generation}: serving "));
        viewer.part();
        viewer.part();
    }
}

#[test]
fn middleware_that_never_answers_causes_504_and_harms_no_other_request() {
    let running = Wrapped::start(&middleware(NEVER_ANSWERS, ""), &["--answer-timeout", "1"]);
    let address = running.server.address;
    let mut viewer = Viewer::watch(address, "/video_feed");
    // Fewer than would fail the probation.
    let waiting: Vec<_> = (0..4).map(|_| thread::spawn(move || get(address, "/bad").status)).collect();
    for _ in 0..5 {
        viewer.part();
        assert_eq!(get(address, "/snapshot").status, 200);
    }
    for status in waiting {
        assert_eq!(status.join().unwrap(), 504);
    }
    running.server.wait_for_log("GET /bad: 504");
    assert_serves(&running.server);
}

#[test]
fn middleware_that_traps_causes_502_and_harms_no_other_request() {
    let Wrapped { server, .. } = Wrapped::start(&middleware(TRAPS, ""), &[]);
    assert_eq!(get(server.address, "/bad").status, 502);
    assert_serves(&server);
}

#[test]
fn a_guest_cannot_allow_the_reuse_of_its_middleware() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::counting(folder.path(), "(call $allow_reuse)");
    let options = ["--guest", guest.to_str().unwrap()];
    let Wrapped { server, .. } = Wrapped::start(&middleware(PASSES_ON, ""), &options);
    assert_eq!([(); 3].map(|()| get(server.address, "/count").text()), ["001"; 3]);
}

#[test]
fn without_middleware_the_report_lists_none() {
    let server = Server::start(&["--camera", "emulated"]);
    assert_eq!(server.generations()["current"]["middleware"], json!([]));
}

/// Composing happens in the compiler process, so whatever a component does to the composer ends only that.
#[test]
fn types_that_are_nested_too_deeply_for_the_composer_do_not_end_the_server() {
    let Wrapped { server, .. } = Wrapped::start(&middleware(PASSES_ON, ""), &[]);
    let mut text = String::from("(component (type $t0 (list u8))");
    for depth in 1..50_000 {
        text.push_str(&format!("(type $t{depth} (list $t{}))", depth - 1));
    }
    text.push_str(r#"(import "wasi:io/poll@0.2.0" (instance (export "t" (type (eq $t49999))))) (type $i (instance)) (import "wasi:http/incoming-handler@0.2.0" (instance $h (type $i))) (export "wasi:http/incoming-handler@0.2.0" (instance $h)))"#);
    let reply = server.put_guest(&wat::parse_str(&text).unwrap());
    assert_eq!(reply.status, 422, "{}", reply.text());
    assert_serves(&server);
}
