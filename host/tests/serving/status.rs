//! `hotshoe status`, and `/status` at the admin listener.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};
use std::thread;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::{Server, command, run};
use hotshoe_test_support::tls::{AUTHORITY, command_with_tls};
use serde_json::Value;

use crate::auth::{Accounts, password};

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
    assert_eq!(
        text(&output.stderr),
        "error: the server needs its admin token or a user with the role admin; pass --token-file FILE or --user NAME\n"
    );
}

#[test]
fn the_status_is_read_over_tls_and_with_the_login_of_a_user() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = Accounts::new();
    let [_, users] = accounts.options();
    let mut with_tls = command_with_tls(folder.path(), &["--camera", "emulated", "--users", &users]);
    with_tls.args(["--admin", "tls:127.0.0.1:0"]);
    let server = Server::start_command(with_tls);
    let admin = format!("tls:{}", server.admin.unwrap());
    let authority = folder.path().join("authority.pem");
    fs::write(&authority, AUTHORITY).unwrap();
    let status = |args: &[&str], password: &str| {
        let mut command = command();
        command.args(["status", "--admin", &admin]).args(args).env("SSL_CERT_FILE", &authority);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = status(&["--user", "admin"], &password("admin"));
    assert!(text(&output.stdout).starts_with("hotshoe "), "{output:?}");
    let output = status(&["--user", "admin", "--tls-name", "localhost"], &password("admin"));
    assert!(text(&output.stdout).starts_with("hotshoe "), "{output:?}");
    for (args, message) in [
        (&["--user", "view"][..], "error: the user does not have the role admin; use another with --user\n"),
        (&["--user", "nobody"], "error: the server needs its admin token or a user with the role admin"),
        (&["--user", "admin", "--tls-name", "other.example"], "error: no encrypted connection to tls:127.0.0.1:"),
    ] {
        let output = status(args, &password("view"));
        assert!(text(&output.stderr).starts_with(message), "{output:?}");
    }
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
