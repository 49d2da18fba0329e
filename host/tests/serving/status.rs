//! `hotshoe status`, and `/status` at the admin listener.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::thread;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::{Server, run};
use serde_json::Value;

fn status(args: &[&str]) -> Output {
    run([&["status"], args].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_status_is_a_page_for_people_and_json_for_programs() {
    let server = Server::start(&["--camera", "front=emulated,fps=20", "--camera", "yard=/dev/video987"]);
    let admin = server.admin.unwrap().to_string();
    let mut viewer = Viewer::watch(server.address, "/stream/front");
    (0..3).for_each(|_| drop(viewer.part()));
    assert_eq!(get(server.address, "/snapshot/yard").status, 503);
    let output = status(&["--admin", &admin]);
    let page = text(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let row = |name: &str| {
        let line = page.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{page}"));
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(
        page.starts_with(&format!("hotshoe {}\n  process {}, ", env!("CARGO_PKG_VERSION"), server.pid())),
        "{page}"
    );
    assert_eq!(row("front")[1], "live");
    assert_eq!(row("yard ")[1], "lost");
    assert!(page.contains("yard: no device at /dev/video987"), "{page}");
    assert!(page.contains("generation 1, the built-in guest, for "), "{page}");
    assert!(page.lines().all(|line| line == line.trim_end()), "{page}");

    let output = status(&["--admin", &admin, "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["cameras"][0]["state"], "live");
    assert!(json["cameras"][0]["frames"].as_u64().unwrap() >= 3);
    assert_eq!(json["cameras"][1]["outage"]["cause"], "not-found");
    assert_eq!(json["channels"][0]["viewers"], 1);
    assert_eq!(json["guest"]["generation"], 1);
    assert_eq!(json["requests"]["by_status"]["503"], 1);
}

#[test]
fn the_status_is_read_from_a_unix_socket_and_with_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let (token, socket) = (folder.path().join("token"), folder.path().join("admin"));
    fs::write(&token, "0123456789abcdef\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let (token, address) = (token.to_str().unwrap(), format!("unix:{}", socket.display()));
    let _server = Server::start(&["--camera", "emulated", "--admin", &address, "--admin-token-file", token]);
    let output = status(&["--admin", &address, "--token-file", token]);
    assert!(text(&output.stdout).starts_with("hotshoe "), "{output:?}");
    let output = status(&["--admin", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "error: the server needs its admin token; pass --token-file FILE\n");
}

#[test]
fn a_missing_or_another_server_is_an_error_that_says_what_to_do() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    // Accepts and closes.
    let closing = thread::spawn(move || drop(free.accept().unwrap()));
    let output = status(&["--admin", &address]);
    closing.join().unwrap();
    assert!(text(&output.stderr).starts_with(&format!("error: no response from {address}: ")), "{output:?}");
    let output = status(&["--admin", &address]);
    let error = text(&output.stderr);
    assert!(
        error.starts_with(&format!("error: cannot connect to {address}: ")) && error.contains("--admin"),
        "{error}"
    );
    let server = Server::start(&["--camera", "emulated"]);
    // The listener of viewers has no status.
    let output = status(&["--admin", &server.address.to_string()]);
    assert!(text(&output.stderr).starts_with("error: the server answered 404 Not Found; "), "{output:?}");
}
