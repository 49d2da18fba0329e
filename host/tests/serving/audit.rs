//! The audit log, and the formats of the log.

use std::fs::{self, File};
use std::os::linux::fs::MetadataExt as _;
use std::process::Stdio;

use hotshoe_test_support::client::{request, send};
use hotshoe_test_support::guests::{self, variant};
use hotshoe_test_support::server::{Server, command};
use serde_json::Value;

#[test]
fn whoever_changes_something_is_logged() {
    let mut command = command();
    command.args(["--camera", "front=emulated", "--allow-control"]);
    let server = Server::start_command(command);
    assert_eq!(server.put_guest(&variant(&guests::built_in(), 1)).status, 200);
    server.wait_for_log("audit: generation 2: serving the uploaded guest, sha256 ");
    server.wait_for_log("audit: admin: PUT /guest from 127.0.0.1:");
    assert_eq!(server.put_guest(b"no component").status, 422);
    server.wait_for_log("audit: guest not replaced, generation 2 continues: ");
    assert_eq!(request(server.admin.unwrap(), "POST", "/guest/rollback").status, 200);
    server.wait_for_log("audit: rolling back from generation 2 to the guest of generation 1");
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Requested-With", "test")];
    assert_eq!(send(server.address, "POST", "/controls/front", &headers, b"pause=1").status, 200);
    server.wait_for_log("audit: camera front: set pause to 1");
    let origin = [("Origin", "http://evil.example")];
    assert_eq!(send(server.admin.unwrap(), "PUT", "/guest", &origin, b"").status, 403);
    server.wait_for_log("audit: admin: denied PUT /guest: ");
    assert!(!server.log().contains("audit: admin: GET"), "reading changes nothing:\n{}", server.log());
}

#[test]
fn the_audit_log_does_not_depend_on_the_level_of_the_log() {
    for (levels, is_audited) in [("hotshoe=debug", true), ("hotshoe=info,audit=off", false)] {
        let mut command = command();
        command.args(["--camera", "front=emulated"]).env("RUST_LOG", levels);
        let server = Server::start_command(command);
        assert_eq!(server.log().contains("audit: generation 1: serving "), is_audited, "{levels}:\n{}", server.log());
    }
}

#[test]
fn every_line_of_a_log_in_json_is_an_object() {
    let server = Server::start(&["--camera", "front=emulated,fps=20", "--log-format", "json"]);
    assert_eq!(server.put_guest(b"no component").status, 422);
    server.wait_for_log("guest not replaced");
    let lines: Vec<Value> = server.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        for name in ["time", "level", "target", "message"] {
            assert!(line[name].is_string(), "{line}");
        }
    }
    let find = |text: &str| lines.iter().find(|line| line["message"].as_str().unwrap().contains(text)).unwrap();
    let refused = find("guest not replaced");
    assert_eq!((&refused["level"], &refused["target"]), (&"warn".into(), &"audit".into()));
    assert_eq!(find("built-in pictures")["camera"], "front");
}

#[test]
fn lines_for_the_journal_have_a_priority_instead_of_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::create(folder.path().join("stderr")).unwrap();
    let metadata = file.metadata().unwrap();
    for (inode, is_journal) in [(metadata.st_ino(), true), (metadata.st_ino() + 1, false)] {
        let mut command = command();
        command.args(["--camera", "emulated", "--listen", "127.0.0.1:0", "--admin", "off"]);
        // Fails after it has logged something.
        command.args(["--guest", "/nonexistent/guest.wasm"]).stdin(Stdio::null()).stderr(file.try_clone().unwrap());
        command.env("JOURNAL_STREAM", format!("{}:{inode}", metadata.st_dev()));
        let before = fs::read_to_string(folder.path().join("stderr")).unwrap().len();
        assert!(!command.status().unwrap().success());
        let log = fs::read_to_string(folder.path().join("stderr")).unwrap()[before..].to_owned();
        assert_eq!(log.contains("<6>camera "), is_journal, "{log}");
        assert_eq!(log.contains("<3>cannot read the guest /nonexistent"), is_journal, "{log}");
        assert_eq!(log.contains("\nerror: cannot read"), !is_journal, "{log}");
    }
}
