//! Users and tokens that change while viewers watch.

use hotshoe_test_support::client::{Viewer, connect, get, send};
use hotshoe_test_support::server::Server;
use rustix::process::Signal;

use super::accounts::{Accounts, login, token, token_until, write_private};

fn start(accounts: &Accounts) -> Server {
    let args = ["--camera".to_owned(), "front=emulated,fps=20".to_owned()];
    Server::start(&[&args[..], &accounts.options()].concat())
}

fn reload(server: &Server, count: usize) {
    server.signal(Signal::HUP);
    server.wait_for_logs("reloaded the configuration: ", count);
}

fn watch(server: &Server, user: &str) -> Viewer {
    let login = login(user);
    let mut viewer = Viewer::watch_with(connect(server.address), "/stream/front", &[("Authorization", &login)]);
    assert_eq!(viewer.status, 200);
    viewer.part();
    viewer
}

fn watch_with_token(server: &Server, token: &str) -> Viewer {
    let mut viewer = Viewer::watch(server.address, &format!("/stream/front?token={token}"));
    assert_eq!(viewer.status, 200);
    viewer.part();
    viewer
}

/// Reads until the stream ends.
fn expect_end(mut viewer: Viewer) {
    while viewer.try_part().is_ok() {}
}

#[test]
fn viewers_lose_their_streams_when_their_user_or_token_does_and_others_do_not() {
    let accounts = Accounts::new();
    let server = start(&accounts);
    let (mut stays, leaves) = (watch(&server, "view"), watch(&server, "control"));
    let (mut valid, revoked) =
        (watch_with_token(&server, &token("0a", &["front"])), watch_with_token(&server, &token("0b", &[])));
    accounts.write(&[("view", "view")], &["0b"]);
    reload(&server, 1);
    expect_end(leaves);
    expect_end(revoked);
    for _ in 0..10 {
        stays.part();
        valid.part();
    }
    let headers = [("Authorization", login("control"))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(send(server.address, "GET", "/snapshot", &headers, b"").status, 401);
    assert_eq!(get(server.address, &format!("/snapshot?token={}", token("0b", &[]))).status, 401);
    // A lesser role is another user; a greater one is not.
    let mut promoted = watch(&server, "view");
    accounts.write(&[("view", "admin")], &["0b"]);
    reload(&server, 2);
    for _ in 0..10 {
        promoted.part();
    }
}

#[test]
fn a_stream_ends_when_its_token_expires() {
    let server = start(&Accounts::new());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let viewer = watch_with_token(&server, &token_until(now + 3, "0a", &["front"]));
    expect_end(viewer);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(get(server.address, &format!("/snapshot/front?token={}", token_until(now, "0a", &[]))).status, 401);
}

#[test]
fn a_wrong_file_changes_nothing() {
    let accounts = Accounts::new();
    let server = start(&accounts);
    let mut viewer = watch(&server, "view");
    write_private(&accounts.file(), "[users.view]\n");
    server.signal(Signal::HUP);
    server.wait_for_log("users.toml, line 1: the user view: needs either password or password_file");
    write_private(&accounts.file(), "");
    server.signal(Signal::HUP);
    server.wait_for_log("users.toml has neither users nor tokens");
    viewer.part();
    watch(&server, "admin");
}
