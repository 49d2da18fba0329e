//! The access log: a line on standard output for each request.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use hotshoe_test_support::client::{Viewer, connect, get, reset, send};
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::{guests, wait_until};
use serde_json::{Value, json};

use crate::auth::{Accounts, login, token};

/// A server whose standard output is a file.
struct Logged {
    server: Server,
    output: PathBuf,
    _folder: tempfile::TempDir,
}

impl Logged {
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("access.log");
        let mut command = command();
        command.args(args).stdout(File::create(&output).unwrap());
        Self { server: Server::start_command(command), output, _folder: folder }
    }

    /// Waits for a line that contains this text.
    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        let find = || {
            let log = fs::read_to_string(&self.output).unwrap();
            log.lines().find(|line| line.contains(text)).map(str::to_owned)
        };
        wait_until(&format!("the access log contains {text:?}"), || find().is_some());
        find().unwrap()
    }

    /// Waits for a line of JSON that contains this text.
    #[track_caller]
    fn wait_for_json(&self, text: &str) -> Value {
        serde_json::from_str(&self.wait_for(text)).unwrap()
    }
}

#[test]
fn requests_are_logged_in_the_combined_format_without_secrets() {
    let logged = Logged::start(&["--camera", "emulated", "--access-log", "text"]);
    let headers = [("User-Agent", "test \"1\""), ("Referer", "http://cam.local/?token=secret")];
    let reply = send(logged.server.address, "GET", "/state?token=secret&a=b", &headers, b"");
    assert_eq!(reply.status, 200);
    let line = logged.wait_for("/state");
    let (start, rest) = line.split_once("] ").unwrap();
    assert!(start.starts_with("127.0.0.1 - - [") && start.ends_with(" +0000"), "{line}");
    let expected = format!(
        "\"GET /state?token=***&a=b HTTP/1.1\" 200 {} \"http://cam.local/?token=***\" \"test \\x221\\x22\" ",
        reply.body.len()
    );
    let times = rest.strip_prefix(&expected).unwrap_or_else(|| panic!("{rest} does not begin with {expected}"));
    let times: Vec<f64> = times.split(' ').map(|time| time.parse().unwrap()).collect();
    assert!(times.len() == 2 && times[1] > 0.0 && times[1] <= times[0], "{line}");
    assert!(!fs::read_to_string(&logged.output).unwrap().contains("secret"));
}

#[test]
fn the_log_names_the_user_and_leaves_out_health_checks_that_succeed() {
    let accounts = Accounts::new();
    let [_, users] = accounts.options();
    let logged = Logged::start(&["--camera", "emulated", "--access-log", "json", "--users", &users]);
    let address = logged.server.address;
    assert_eq!(get(address, "/healthz").status, 200);
    assert_eq!(send(address, "POST", "/healthz", &[], b"").status, 405);
    for _ in 0..3 {
        assert_eq!(send(address, "GET", "/state", &[("Authorization", &login("view"))], b"").status, 200);
    }
    assert_eq!(get(address, &format!("/snapshot?token={}", token("0a", &[]))).status, 200);
    assert_eq!(get(address, "/clip").status, 401);
    let entries = ["/state", "/snapshot", "/clip"].map(|path| logged.wait_for_json(path)["user"].clone());
    assert_eq!(entries, [json!("view"), json!("token:0a"), Value::Null]);
    assert_eq!(logged.wait_for_json("/healthz")["status"], 405);
    assert_eq!(fs::read_to_string(&logged.output).unwrap().matches("/healthz").count(), 1);
    // The audit log has each login once.
    logged.server.wait_for_log("audit: login of view with the role view from 127.0.0.1");
    logged.server.wait_for_log("audit: login of token:0a with the role view from 127.0.0.1");
    assert_eq!(logged.server.log().matches("audit: login of ").count(), 2, "{}", logged.server.log());
}

#[test]
fn streams_are_logged_when_they_end_with_what_was_sent() {
    let logged = Logged::start(&["--camera", "emulated,fps=20", "--access-log", "json"]);
    let mut viewer = Viewer::watch(logged.server.address, "/stream?key=1");
    let received: usize = (0..5).map(|_| viewer.part().jpeg.len()).sum();
    assert_eq!(get(logged.server.address, "/missing").status, 404);
    assert_eq!(logged.wait_for_json("/missing")["status"], 404);
    assert!(!fs::read_to_string(&logged.output).unwrap().contains("/stream"), "the stream has not ended");
    drop(viewer);
    let entry = logged.wait_for_json("/stream");
    assert_eq!(
        (&entry["status"], &entry["method"], &entry["protocol"]),
        (&200.into(), &"GET".into(), &"HTTP/1.1".into())
    );
    assert_eq!((&entry["client"], &entry["user"]), (&"127.0.0.1".into(), &Value::Null));
    assert!(entry["bytes"].as_u64().unwrap() >= received as u64, "{entry}");
    let (first, duration) = (entry["first_byte"].as_f64().unwrap(), entry["duration"].as_f64().unwrap());
    assert!(first < duration, "{entry}");
}

#[test]
fn the_address_behind_a_trusted_proxy_is_logged_and_that_of_others_is_not_believed() {
    let forwarded = [("X-Forwarded-For", "198.51.100.1, 203.0.113.7")];
    let trusting = Logged::start(&["--camera", "emulated", "--access-log", "json"]);
    let distrusting = Logged::start(&["--camera", "emulated", "--access-log", "json", "--trusted-proxy", "none"]);
    for (logged, client) in [(&trusting, "203.0.113.7"), (&distrusting, "127.0.0.1")] {
        assert_eq!(send(logged.server.address, "GET", "/state", &forwarded, b"").status, 200);
        assert_eq!(logged.wait_for_json("/state")["client"], client);
    }
}

#[test]
fn refused_requests_and_clients_that_leave_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::NEVER_ANSWERS);
    let logged = Logged::start(&["--camera", "emulated", "--access-log", "json", "--guest", guest.to_str().unwrap()]);
    let address = logged.server.address;
    assert_eq!(send(address, "GET", "/refused", &[("Host", "evil.example")], b"").status, 421);
    assert_eq!(logged.wait_for_json("/refused")["status"], 421);
    let mut stream = connect(address);
    stream.write_all(format!("GET /left HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    let in_progress = || get(logged.server.admin.unwrap(), "/status").json()["requests"]["in_progress"] == 1;
    wait_until("the request has arrived", in_progress);
    reset(stream);
    let entry = logged.wait_for_json("/left");
    assert_eq!((&entry["status"], &entry["first_byte"]), (&499.into(), &Value::Null));
}
