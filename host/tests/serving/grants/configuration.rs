//! Keys and values for guests: `--guest-env` and `--guest-env-file`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hotshoe_test_support::client::get;
use hotshoe_test_support::guests;
use hotshoe_test_support::server::{Server, run, start_failing};

/// The interface of `wasi:config`, which `wit/` lacks.
const CONFIG_PACKAGE: &str = "
    package wasi:config@0.2.0-rc.1 {
        interface store {
            variant error { upstream(string), io(string) }
            get: func(key: string) -> result<option<string>, error>;
            get-all: func() -> result<list<tuple<string, string>>, error>;
        }
    }
";

const IMPORTS: &str = r#"
  (import "wasi:cli/environment@0.2.12" "get-environment" (func $environment (param i32)))
  (import "wasi:config/store@0.2.0-rc.1" "get" (func $get (param i32 i32 i32)))
  (import "wasi:config/store@0.2.0-rc.1" "get-all" (func $get_all (param i32)))
"#;

/// Responds with the memory that the host has written to while the guest read the value of `PASSWORD`, all values, and
/// the environment, and then with the number of variables in the environment.
const READS_CONFIGURATION: &str = r#"
  (data (i32.const 1024) "PASSWORD")
  (func $misbehave (param $out i32)
    (local $stream i32) (local $before i32)
    (local.set $before (global.get $top))
    (call $get (i32.const 1024) (i32.const 8) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (call $get_all (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then unreachable))
    (call $environment (i32.const 256))
    (i32.store8 (i32.const 1100) (i32.load (i32.const 260)))
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (local.get $before) (i32.sub (global.get $top) (local.get $before)))
    (call $write_bytes (local.get $stream) (i32.const 1100) (i32.const 1))
    (call $end (local.get $stream)))
"#;

fn guest(folder: &Path) -> PathBuf {
    let path = folder.join("guest.wasm");
    let interface = "wasi:config/store@0.2.0-rc.1";
    fs::write(&path, guests::importing_from(CONFIG_PACKAGE, interface, IMPORTS, READS_CONFIGURATION)).unwrap();
    path
}

/// Writes a file with these permissions.
fn file(folder: &Path, name: &str, content: &[u8], mode: u32) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn count(text: &[u8], part: &str) -> usize {
    text.windows(part.len()).filter(|window| *window == part.as_bytes()).count()
}

#[test]
fn a_guest_reads_its_configuration_as_environment_and_as_wasi_config() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guest(folder.path());
    let secret = file(folder.path(), "secret", b"open sesame\n", 0o600);
    let secret = format!("PASSWORD={secret}");
    let guest = guest.to_str().unwrap();
    let options = ["--guest-env", "GREETING=good=morning", "--guest-env-file", &secret];
    let server = Server::start(&[&["--camera", "emulated", "--guest", guest], &options[..]].concat());
    let body = get(server.address, "/bad").body;
    assert_eq!((count(&body, "good=morning"), count(&body, "GREETING")), (2, 2), "{body:?}");
    assert_eq!((count(&body, "open sesame"), count(&body, "PASSWORD")), (3, 2), "{body:?}");
    assert_eq!((count(&body, "open sesame\n"), body.last()), (0, Some(&2)));

    let report = get(server.admin.unwrap(), "/guest");
    assert_eq!(report.json()["grants"]["configuration"], serde_json::json!(["GREETING", "PASSWORD"]));
    let (report, log) = (report.text(), server.log());
    assert!(log.contains("grants: configuration (2 keys)"), "{log}");
    for text in [report, log] {
        assert!(!text.contains("sesame") && !text.contains("morning"), "{text}");
    }
}

#[test]
fn without_options_the_configuration_and_the_environment_are_empty() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guest(folder.path());
    let server = Server::start(&["--camera", "emulated", "--guest", guest.to_str().unwrap()]);
    let body = get(server.address, "/bad").body;
    // The number of variables, after the padding of empty lists.
    assert!(body.len() < 16 && body.iter().all(|byte| *byte == 0), "{body:?}");
}

#[test]
fn invalid_configurations_are_refused_without_displaying_values() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8], mode| format!("K={}", file(folder.path(), name, content, mode));
    let readable = file("readable", b"hunter2", 0o644);
    let binary = file("binary", b"hunter2\xff", 0o600);
    let large = file("large", &[b'x'; (64 << 10) + 1], 0o600);
    let missing = format!("K={}", folder.path().join("missing").display());
    let directory = format!("K={}", folder.path().display());
    for (options, reason) in [
        (["--guest-env=hunter2", "--guest-env=A=1"], "--guest-env without `=`; write --guest-env KEY=…"),
        (["--guest-env-file=hunter2", "--guest-env=A=1"], "--guest-env-file without `=`"),
        (["--guest-env==hunter2", "--guest-env=A=1"], "invalid key; use 1 to 128 visible ASCII characters"),
        (["--guest-env=K=hunter2", "--guest-env=K=hunter3"], "K is set twice"),
        (["--guest-env-file", &readable], "run `chmod 600"),
        (["--guest-env-file", &binary], "--guest-env-file K: cannot read"),
        (["--guest-env-file", &large], "is larger than 65536 bytes"),
        (["--guest-env-file", &missing], "No such file or directory"),
        (["--guest-env-file", &directory], "it is not a regular file"),
    ] {
        for output in [start_failing(options), run(["guest", "imports"].iter().chain(&options))] {
            let stderr = String::from_utf8(output.stderr).unwrap();
            let error = stderr.lines().last().unwrap_or_default();
            assert!(!output.status.success() && error.contains(reason), "{options:?}: {stderr}");
            assert!(!stderr.contains("hunter"), "{stderr}");
        }
    }
}
