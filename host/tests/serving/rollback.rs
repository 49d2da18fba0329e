//! A new guest that fails on too many of its first requests is taken back by itself.

use hotshoe_test_support::client::{get, raw_request, request, try_request};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

const CAMERA: [&str; 4] = ["--camera", "emulated,fps=20", "--answer-timeout", "0.5"];

/// Replace the built-in guest by one that fails at /bad.
fn replaced(misbehave: &str) -> Server {
    let server = Server::start(&CAMERA);
    assert_eq!(server.put_guest(&guests::serving(misbehave)).status, 200);
    server
}

#[test]
fn a_guest_that_traps_on_five_of_its_first_requests_is_taken_back() {
    let server = replaced(guests::TRAPS);
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    let line = server.wait_for_log("generation 2: the uploaded guest failed on 5 of its first 10 requests");
    assert!(line.contains("WARN") && line.contains("rolling back to the guest of generation 1"), "{line}");
    server.wait_for_log("generation 3: serving the built-in guest");
    assert_eq!(get(server.address, "/bad").status, 404, "this is the built-in guest's answer");
    let generations = server.generations();
    assert_eq!(generations["current"]["from"], "the built-in guest");
    assert!(generations["refused"]["reason"].as_str().unwrap().contains("failed on 5 of its first 10 requests"));
    // It is no guest to go back to.
    assert!(generations["previous"].is_null());
    assert_eq!(request(server.admin.unwrap(), "POST", "/guest/rollback").status, 409);
}

#[test]
fn what_is_gone_back_to_is_no_guest_that_was_failing_too() {
    let server = replaced(guests::TRAPS);
    for _ in 0..3 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    assert_eq!(server.put_guest(&guests::serving(guests::RETURNS_WITHOUT_ANSWER)).status, 200);
    assert_eq!(server.generations()["previous"]["generation"], 2, "by hand one can go back to it");
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    server.wait_for_log("rolling back to the guest of generation 1");
    server.wait_for_log("generation 4: serving the built-in guest");
}

#[test]
fn requests_that_say_nothing_about_the_guest_are_not_part_of_its_trial() {
    let server = replaced(guests::TRAPS);
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
fn one_that_times_out_is_taken_back() {
    let server = replaced(guests::NEVER_ANSWERS);
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 504);
    }
    server.wait_for_log("generation 3: serving the built-in guest");
}

#[test]
fn one_that_traps_in_mid_answer_is_taken_back() {
    let server = replaced(guests::TRAPS_IN_MID_STREAM);
    for _ in 0..5 {
        assert!(try_request(server.address, "GET", "/bad").1.is_err());
    }
    server.wait_for_log("generation 3: serving the built-in guest");
}

#[test]
fn one_that_fails_now_and_then_stays() {
    let server = replaced(guests::TRAPS);
    for round in 0..10 {
        // Four times in the first ten, and later all the time.
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
fn the_first_guest_has_none_before_it_and_stays() {
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
fn a_guest_that_was_gone_back_to_by_hand_is_on_probation_as_well() {
    let server = replaced(guests::TRAPS);
    let back = || request(server.admin.unwrap(), "POST", "/guest/rollback").status;
    assert_eq!((back(), back()), (200, 200));
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    server.wait_for_log("generation 5: serving the built-in guest");
}

#[test]
fn a_broken_guest_after_an_idle_broken_one_goes_back_to_the_guest_that_has_answered() {
    let server = Server::start(&CAMERA);
    assert_eq!(get(server.address, "/state").status, 200);
    // It receives no requests, so nobody knows that it is broken.
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
fn a_rollback_by_hand_passes_over_a_guest_that_has_never_answered() {
    let server = Server::start(&CAMERA);
    assert_eq!(get(server.address, "/state").status, 200);
    for misbehave in [guests::TRAPS, guests::RETURNS_WITHOUT_ANSWER] {
        assert_eq!(server.put_guest(&guests::serving(misbehave)).status, 200);
    }
    let reply = request(server.admin.unwrap(), "POST", "/guest/rollback").json();
    assert_eq!(reply["current"]["from"], "the built-in guest");
    assert_eq!(reply["previous"]["generation"], 3, "a second rollback returns to where one was");
}
