//! Rollbacks: by hand, and automatic ones of a guest that fails on too many of its first requests.

use hotshoe_test_support::client::{get, raw_request, request, try_request};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

const CAMERA: [&str; 4] = ["--camera", "emulated,fps=20", "--answer-timeout", "0.5"];

/// Starts a server and replaces the built-in guest by one that fails at /bad.
fn start_with(misbehave: &str) -> Server {
    let server = Server::start(&CAMERA);
    assert_eq!(server.put_guest(&guests::serving(misbehave)).status, 200);
    server
}

#[test]
fn a_guest_that_traps_on_five_of_its_first_requests_is_rolled_back() {
    let server = start_with(guests::TRAPS);
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    let line = server.wait_for_log("generation 2: the uploaded guest failed on 5 of its first 10 requests");
    assert!(line.contains("WARN") && line.contains("rolling back to the guest of generation 1"), "{line}");
    server.wait_for_log("generation 3: serving the built-in guest");
    assert_eq!(get(server.address, "/bad").status, 404, "the response of the built-in guest");
    let generations = server.generations();
    assert_eq!(generations["current"]["from"], "the built-in guest");
    assert!(generations["refused"]["reason"].as_str().unwrap().contains("failed on 5 of its first 10 requests"));
    // The failed guest is no rollback target.
    assert!(generations["previous"].is_null());
    assert_eq!(request(server.admin.unwrap(), "POST", "/guest/rollback").status, 409);
}

#[test]
fn a_failover_skips_a_guest_that_was_failing_too() {
    let server = start_with(guests::TRAPS);
    for _ in 0..3 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    assert_eq!(server.put_guest(&guests::serving(guests::RETURNS_WITHOUT_ANSWER)).status, 200);
    assert_eq!(server.generations()["previous"]["generation"], 2, "it is still the target of a rollback by hand");
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    server.wait_for_log("rolling back to the guest of generation 1");
    server.wait_for_log("generation 4: serving the built-in guest");
}

#[test]
fn malformed_requests_do_not_count_during_probation() {
    let server = start_with(guests::TRAPS);
    for _ in 0..20 {
        let (reply, _) = raw_request(server.address, b"GET /bad HTTP/1.1\r\n\r\n", false);
        assert_eq!(reply.status, 400);
    }
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    server.wait_for_log("generation 3: serving the built-in guest");
}

#[test]
fn a_guest_that_times_out_is_rolled_back() {
    let server = start_with(guests::NEVER_ANSWERS);
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 504);
    }
    server.wait_for_log("generation 3: serving the built-in guest");
}

#[test]
fn a_guest_that_traps_in_mid_response_is_rolled_back() {
    let server = start_with(guests::TRAPS_IN_MID_STREAM);
    for _ in 0..5 {
        assert!(try_request(server.address, "GET", "/bad").1.is_err());
    }
    server.wait_for_log("generation 3: serving the built-in guest");
}

#[test]
fn a_guest_that_fails_occasionally_stays() {
    let server = start_with(guests::TRAPS);
    for round in 0..10 {
        // Four of the first ten requests fail, and later all of them.
        let path = if round % 5 < 2 { "/bad" } else { "/ok" };
        get(server.address, path);
    }
    for _ in 0..20 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    assert_eq!(server.generation(), 2);
    assert_eq!(server.generations()["current"]["failures"], 24);
}

#[test]
fn the_first_guest_stays_because_there_is_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::TRAPS);
    let server = Server::start(&[&CAMERA[..], &["--guest", guest.to_str().unwrap()]].concat());
    for _ in 0..20 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    server.wait_for_log("there is no earlier guest to roll back to");
    assert_eq!(server.generation(), 1);
}

#[test]
fn a_guest_restored_by_hand_is_on_probation_again() {
    let server = start_with(guests::TRAPS);
    let roll_back = || request(server.admin.unwrap(), "POST", "/guest/rollback").status;
    assert_eq!((roll_back(), roll_back()), (200, 200));
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    server.wait_for_log("generation 5: serving the built-in guest");
}

#[test]
fn a_failover_skips_a_broken_guest_that_received_no_requests() {
    let server = Server::start(&CAMERA);
    assert_eq!(get(server.address, "/state").status, 200);
    // The first broken guest receives no requests, so its failures do not show.
    assert_eq!(server.put_guest(&guests::serving(guests::TRAPS)).status, 200);
    assert_eq!(server.put_guest(&guests::serving(guests::RETURNS_WITHOUT_ANSWER)).status, 200);
    assert_eq!(server.generations()["previous"]["generation"], 1);
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    server.wait_for_log("rolling back to the guest of generation 1");
    server.wait_for_log("generation 4: serving the built-in guest");
    assert_eq!(get(server.address, "/state").status, 200);
}

#[test]
fn a_rollback_by_hand_skips_a_guest_that_has_never_answered() {
    let server = Server::start(&CAMERA);
    assert_eq!(get(server.address, "/state").status, 200);
    for misbehave in [guests::TRAPS, guests::RETURNS_WITHOUT_ANSWER] {
        assert_eq!(server.put_guest(&guests::serving(misbehave)).status, 200);
    }
    let reply = request(server.admin.unwrap(), "POST", "/guest/rollback").json();
    assert_eq!(reply["current"]["from"], "the built-in guest");
    assert_eq!(reply["previous"]["generation"], 3, "a second rollback undoes the first");
}
