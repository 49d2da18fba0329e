//! Guessing passwords, and what it costs to check them.

use std::time::Duration;

use hotshoe_test_support::client::{Reply, send};
use hotshoe_test_support::server::{Server, processor_time};

use super::accounts::{Accounts, basic, login};

/// Requests a snapshot as the client of a trusted proxy.
fn snapshot(server: &Server, client: &str, authorization: &str) -> Reply {
    let headers = [("X-Forwarded-For", client), ("Authorization", authorization)];
    send(server.address, "GET", "/snapshot", &headers, b"")
}

#[test]
fn guessing_passwords_is_throttled_and_does_not_affect_others() {
    const GUESSER: &str = "203.0.113.7";
    let accounts = Accounts::new();
    let server = Server::start(&[&["--camera".to_owned(), "emulated".to_owned()][..], &accounts.options()].concat());
    assert_eq!(snapshot(&server, GUESSER, &login("view")).status, 200);
    let mut guesses = 0;
    let reply = loop {
        let user = if guesses % 2 == 0 { "admin" } else { "unknown" };
        let reply = snapshot(&server, GUESSER, &basic(user, &guesses.to_string()));
        if reply.status == 429 {
            break reply;
        }
        assert_eq!(reply.status, 401);
        assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"Hotshoe\", charset=\"UTF-8\""));
        assert_eq!(reply.text(), "401 wrong user name or password\n");
        guesses += 1;
        assert!(guesses < 50, "guesses are not throttled");
    };
    // More are admitted if they take long enough.
    assert!(guesses >= 10, "only {guesses} guesses");
    assert!((1..=10).contains(&reply.header("retry-after").unwrap().parse::<u64>().unwrap()));
    let reply = snapshot(&server, GUESSER, &login("control"));
    assert_eq!(reply.status, 429, "a right password is not confirmed either");
    assert_eq!(snapshot(&server, GUESSER, &login("view")).status, 200, "someone at that address has logged in before");
    assert_eq!(snapshot(&server, "203.0.113.8", &login("control")).status, 200, "others are not affected");
    server.wait_for_log("401, wrong user name or password, from 203.0.113.7");
}

#[test]
fn a_wrong_password_that_is_sent_again_is_one_guess() {
    let accounts = Accounts::new();
    let server = Server::start(&[&["--camera".to_owned(), "emulated".to_owned()][..], &accounts.options()].concat());
    for _ in 0..30 {
        assert_eq!(snapshot(&server, "203.0.113.7", &basic("view", "old-password")).status, 401);
    }
    assert_eq!(snapshot(&server, "203.0.113.7", &login("view")).status, 200);
}

#[test]
fn many_snapshots_with_a_password_are_one_hash() {
    const SNAPSHOTS: u32 = 40;
    let accounts = Accounts::new();
    let args = ["--camera".to_owned(), "emulated,keep-open".to_owned()];
    let server = Server::start(&[&args[..], &accounts.options()].concat());
    let time = |user: &str, count: u32| {
        let before = processor_time(server.pid());
        for _ in 0..count {
            assert_eq!(snapshot(&server, "203.0.113.7", &login(user)).status, 200);
        }
        processor_time(server.pid()).saturating_sub(before)
    };
    let one = time("view", 1);
    let many = time("control", SNAPSHOTS);
    // A hash takes at least 10 ms on any machine, and a snapshot less than one.
    let limit = one * SNAPSHOTS / 2 + Duration::from_millis(50);
    assert!(many < limit, "{one:?} for one snapshot with a new password, {many:?} for {SNAPSHOTS}");
}
