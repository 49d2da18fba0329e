//! Passwords and tokens stay secret.

use hotshoe_test_support::client::{get, send};
use hotshoe_test_support::server::{Server, command};

use super::accounts::{Accounts, basic, login, token};

#[test]
fn passwords_and_tokens_are_never_logged() {
    let accounts = Accounts::new();
    let mut command = command();
    command.args(["--camera", "front=emulated"]).args(accounts.options()).env("RUST_LOG", "trace");
    let server = Server::start_command(command);
    let (right, wrong) = (token("0a", &["front"]), token("0a", &["yard"]));
    for (path, status) in [("/snapshot/front", 200), ("/controls/front", 403)] {
        assert_eq!(get(server.address, &format!("{path}?token={right}")).status, status);
    }
    assert_eq!(get(server.address, &format!("/snapshot/front?token={wrong}")).status, 403);
    assert_eq!(get(server.address, &format!("/snapshot/front?token={right}x")).status, 401);
    let referrer = format!("http://localhost/?token={right}");
    for authorization in [login("view"), basic("view", "wrong-secret")] {
        let headers = [("Authorization", authorization.as_str()), ("Referer", &referrer)];
        let reply = send(server.address, "GET", "/snapshot", &headers, b"");
        assert_eq!(reply.header("referrer-policy"), Some("same-origin"));
    }
    server.wait_for_log("wrong user name or password");
    let log = server.log();
    let header = login("view");
    for secret in [&right, &wrong, "view-password", "wrong-secret", header.trim_start_matches("Basic "), "$argon2"] {
        assert!(!log.contains(secret), "{secret}");
    }
    assert!(log.contains("GET /snapshot/front"), "requests are logged");
}

#[test]
fn a_wrong_token_does_not_make_browsers_ask_for_a_password() {
    let accounts = Accounts::new();
    let args = ["--camera".to_owned(), "emulated".to_owned()];
    let server = Server::start(&[&args[..], &accounts.options()].concat());
    let reply = get(server.address, "/snapshot?token=hs1.wrong");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"Hotshoe\", error=\"invalid_token\""));
    assert_eq!(reply.text(), "401 the token is not valid\n");
    let reply = get(server.address, "/snapshot");
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"Hotshoe\", charset=\"UTF-8\""));
}
