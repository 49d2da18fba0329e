//! An instance handles one request, or more if its guest allows reuse.

use hotshoe_test_support::client::{get, try_request};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;

/// Sends `requests` requests, one after the other, to a guest that counts the responses of its instance. Returns each
/// count, or how the response failed. `first` is what the guest does before each response, as WebAssembly text.
fn counts(first: &str, requests: usize) -> Vec<String> {
    counts_with(&[], first, requests)
}

/// Like [`counts`], with these options of the server.
fn counts_with(options: &[&str], first: &str, requests: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::counting(folder.path(), first);
    let server = Server::start(&[&["--camera", "emulated", "--guest", guest.to_str().unwrap()], options].concat());
    (0..requests)
        .map(|_| {
            let (reply, rest) = try_request(server.address, "GET", "/count");
            match (reply.status, rest) {
                (200, Ok(())) => reply.text(),
                (200, Err(_)) => "cut off".to_owned(),
                (status, _) => status.to_string(),
            }
        })
        .collect()
}

#[test]
fn each_request_has_a_new_instance_by_default() {
    assert_eq!(counts("", 3), ["001"; 3]);
}

#[test]
fn an_instance_is_reused_for_128_requests_if_its_guest_allows_that() {
    let counts = counts("(call $allow_reuse)", 130);
    let expected: Vec<_> = (1..=128).chain(1..=2).map(|count| format!("{count:03}")).collect();
    assert_eq!(counts, expected);
}

#[test]
fn the_permission_to_reuse_is_valid_for_one_request() {
    assert_eq!(
        counts("(if (i32.eqz (global.get $count)) (then (call $allow_reuse)))", 4),
        ["001", "002", "001", "002"]
    );
}

#[test]
fn an_instance_that_traps_is_not_reused() {
    let traps = "(call $allow_reuse) (if (i32.eq (global.get $count) (i32.const 2)) (then unreachable))";
    assert_eq!(counts(traps, 5), ["001", "002", "502", "001", "002"]);
}

#[test]
fn an_instance_that_responds_with_an_error_code_is_not_reused() {
    let responds_with_error = "(call $allow_reuse) (if (i32.eq (global.get $count) (i32.const 1)) (then
        (call $refuse (local.get $out)) (return)))";
    assert_eq!(counts(responds_with_error, 4), ["001", "502", "001", "502"]);
}

#[test]
fn an_instance_that_drops_its_unfinished_body_is_not_reused() {
    let drops_body = "(call $allow_reuse) (if (i32.eq (global.get $count) (i32.const 1)) (then
        (call $drop_stream (call $start_and_wait (local.get $out))) (call $drop_body (global.get $body)) (return)))";
    assert_eq!(counts(drops_body, 4), ["001", "cut off", "001", "cut off"]);
}

#[test]
fn a_failed_request_leaves_its_channel_even_if_its_instance_may_be_reused() {
    let server = Server::start(&["--camera", "emulated", "--linger", "0"]);
    assert_eq!(server.put_guest(&guests::joining_and_refusing()).status, 200);
    let address = server.address;
    let request = std::thread::spawn(move || get(address, "/join").status);
    wait_until("the channel's publisher reads the camera", || server.capture_threads() == 1);
    assert_eq!(request.join().unwrap(), 502);
    wait_until("the camera is closed", || server.capture_threads() == 0);
}

#[test]
fn an_instance_that_holds_a_resource_is_not_reused() {
    assert_eq!(counts("(call $allow_reuse) (drop (call $fields))", 3), ["001"; 3]);
}

#[test]
fn an_instance_of_the_size_of_an_interpreter_is_reused() {
    // 14 MiB, like CPython.
    let grows = "(call $allow_reuse) (if (i32.eqz (global.get $count)) (then (drop (memory.grow (i32.const 224)))))";
    assert_eq!(counts(grows, 3), ["001", "002", "003"]);
}

#[test]
fn an_instance_that_has_grown_large_is_not_reused() {
    let grows = |pages: u32| format!("(call $allow_reuse) (drop (memory.grow (i32.const {pages})))");
    let large = ["--guest-memory", "128"];
    assert_eq!(counts_with(&large, &grows(1024), 3), ["001"; 3]);
    // In steps: at the fourth request it has more than 64 MiB.
    assert_eq!(counts_with(&large, &grows(300), 5), ["001", "002", "003", "004", "001"]);
}

#[test]
fn a_new_guest_does_not_reuse_the_instances_of_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::counting(folder.path(), "(call $allow_reuse)");
    let server = Server::start(&["--camera", "emulated", "--guest", guest.to_str().unwrap()]);
    let count = || get(server.address, "/count").text();
    assert_eq!([count(), count()], ["001", "002"]);
    let other = guests::variant(&std::fs::read(&guest).unwrap(), 1);
    assert_eq!(server.put_guest(&other).status, 200);
    assert_eq!([count(), count()], ["001", "002"]);
}
