//! Results of a guest of WASI 0.3.

use hotshoe_test_support::built_in_pictures;
use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;

use super::guest;

/// A guest attaches results, waits for them, and waits for the event that follows.
pub fn attached_and_read() {
    let server = Server::start(&["--camera", "emulated,fps=10", "--guest", guest()]);
    let found = get(server.address, "/results").text();
    let length =
        found.strip_prefix("face 0.5 1.5 A, event 1 of face with ").and_then(|rest| rest.strip_suffix(" bytes"));
    let length: usize = length.unwrap_or_else(|| panic!("{found}: {}", server.log())).parse().unwrap();
    assert!(built_in_pictures().iter().any(|picture| picture.len() == length), "{found}");
}
