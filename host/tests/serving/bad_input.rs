//! Invalid input: one line that says what is wrong and what to do, and the right exit code.

use std::fs;
use std::net::TcpListener;

use hotshoe_test_support::server::{Server, command, program, run, start_failing};

/// Runs the program, which must exit with `code` and print one error that contains all of `parts`.
#[track_caller]
fn fails(args: &[&str], code: i32, parts: &[&str]) {
    let output = start_failing(args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    // The log may precede the error.
    let errors: Vec<_> = stderr.lines().filter(|line| !line.contains(" INFO ")).collect();
    assert_eq!(errors.len(), 1, "{args:?}: {stderr}");
    assert!(errors[0].starts_with("error: "), "{args:?}: {stderr}");
    for part in parts {
        assert!(errors[0].contains(part), "{args:?}: {part:?} is not in {:?}", errors[0]);
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn invalid_options_are_usage_errors() {
    fails(&["--colour"], 2, &["--colour"]);
    fails(&["serve"], 2, &["serve"]);
    fails(&["--camera", "webcam"], 2, &["unknown camera `webcam`", "/dev/video0"]);
    fails(&["--camera", "emulated,colour=red"], 2, &["unknown camera option `colour=red`", "fps=RATE"]);
    fails(&["--camera", "emulated,fps=fast"], 2, &["`fast` is not a frame rate", "fps=30"]);
    fails(&["--camera", "/dev/video0,size=big"], 2, &["`big` is not a size", "1280x720"]);
    fails(&["--camera", "/dev/video0,format=MJPEG"], 2, &["`MJPEG` is not a pixel format", "format=MJPG"]);
    fails(&["--camera", "/dev/video0,quality=101"], 2, &["`101` is not a quality", "1 to 100"]);
    fails(&["--camera", "/dev/video0,control=gain"], 2, &["`gain` is not a control setting", "NAME:VALUE"]);
    fails(&["--camera", "emulated,format=MJPG"], 2, &["no option format="]);
    fails(&["--camera", "emulated,control=gain:1"], 1, &["camera emulated: there is no control `gain`", "pause"]);
    fails(&["--camera", "emulated,control=pause:2"], 1, &["`pause` cannot be 2; valid: 0 or 1"]);
    fails(&["--camera", "emulated,label=a\u{202e}b"], 2, &["is not a label", "label=Front door"]);
    fails(&["--camera", "emulated:a,b"], 2, &["unknown camera option `b`", "double a comma"]);
    fails(&["--camera", "a b=auto"], 2, &["`a b` is not a camera name"]);
    fails(&["--listen", "here"], 2, &["here", "--listen", "such as 127.0.0.1:5000", "unix:PATH"]);
    fails(&["--admin", "here"], 2, &["here", "--admin", "such as 127.0.0.1:5000"]);
    fails(&["--linger", "soon"], 2, &["'soon' for '--linger", "use a number of seconds"]);
    fails(&["--max-requests", "0"], 2, &["--max-requests"]);
}

#[test]
fn cameras_that_do_not_exist_or_share_a_name_are_errors() {
    fails(&["--camera", "/dev/null"], 1, &["/dev/null is not a usable camera", "not a V4L2 device"]);
    fails(&["--camera", "a=emulated", "--camera", "a=auto"], 2, &["two cameras are named `a`", "NAME="]);
}

#[test]
fn unavailable_addresses_are_errors() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let localhost = format!("localhost:{}", taken.local_addr().unwrap().port());
    fails(&["--camera", "emulated", "--listen", &localhost], 1, &[&localhost, "is in use", "--listen"]);
    let twice = ["--camera", "emulated", "--listen", "127.0.0.1:0", "--listen", &address];
    fails(&twice, 1, &[&address, "is in use"]);
    fails(&["--camera", "emulated", "--listen", &address], 1, &[&address, "is in use", "--listen"]);
    // A documentation address (RFC 5737), which no machine has.
    fails(&["--camera", "emulated", "--listen", "192.0.2.1:5000"], 1, &["is not an address of this machine"]);
}

#[test]
fn files_that_are_not_guests_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let assert_error = |path: &str, parts: &[&str]| fails(&["--camera", "emulated", "--guest", path], 1, parts);
    assert_error(
        "/nowhere/guest.wasm",
        &["cannot read the guest /nowhere/guest.wasm", "check the path and its permissions"],
    );
    assert_error(&file("empty", b""), &["is not a WebAssembly component"]);
    assert_error(&file("text", b"hello"), &["is not a WebAssembly component"]);
    assert_error(&file("elf", &fs::read(program()).unwrap()[..4096]), &["is not a WebAssembly component"]);
    let module = wat::parse_str("(module)").unwrap();
    assert_error(&file("module", &module), &["is a core module, not a component", "wasm32-wasip2"]);
    let whole = wat::parse_str("(component (core module (func (export \"f\"))))").unwrap();
    assert_error(&file("cut", &whole[..whole.len() - 5]), &["is not a valid component"]);
    let no_handler = wat::parse_str("(component)").unwrap();
    assert_error(&file("no-handler", &no_handler), &["does not export wasi:http/incoming-handler"]);
    let sockets = r#"(component (import "wasi:sockets/tcp@0.3.0" (instance (export "x" (func)))))"#;
    assert_error(
        &file("sockets", &wat::parse_str(sockets).unwrap()),
        &["wasi:sockets/tcp@0.3.0", "hotshoe guest imports"],
    );
    let outgoing = r#"(component (import "wasi:http/outgoing-handler@0.3.0" (instance (export "handle" (func)))))"#;
    assert_error(&file("outgoing", &wat::parse_str(outgoing).unwrap()), &["wasi:http/outgoing-handler@0.3.0"]);
    let files = r#"(component (import "wasi:filesystem/preopens@0.4.0" (instance (export "get-directories" (func)))))"#;
    assert_error(&file("files", &wat::parse_str(files).unwrap()), &["wasi:filesystem/preopens@0.4.0"]);
}

#[test]
fn an_invalid_log_filter_is_logged_and_ignored() {
    let mut command = command();
    command.args(["--camera", "emulated"]).env("RUST_LOG", "hotshoe=loud");
    let server = Server::start_command(command);
    assert!(server.log().contains("invalid RUST_LOG"), "{}", server.log());
}

#[test]
fn help_and_version_go_to_standard_output() {
    for flag in ["--help", "-h", "--version"] {
        let output = run([flag]);
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains("hotshoe") && output.stderr.is_empty());
    }
}
