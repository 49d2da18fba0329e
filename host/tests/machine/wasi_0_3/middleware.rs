//! Middleware of WASI 0.3 (`--wrap`), and what versions can be mixed.

use hotshoe_test_support::built_in_pictures;
use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::start_failing;

use super::{middleware, read_part, start};

/// Requests pass through the middleware, which sees the status of each response.
pub fn requests_pass_through_it() {
    let server = start(&["--wrap", middleware()]);
    assert_eq!(get(server.address, "/hello?x=1").text(), "/hello?x=1");
    server.wait_for_log("guest stdout: middleware: /hello?x=1 200");
    assert_eq!(get(server.address, "/forbidden").status, 403);
    assert!(built_in_pictures().contains(&get(server.address, "/snapshot").body), "{}", server.log());
    let mut viewers: Vec<_> = (0..4).map(|_| Viewer::watch(server.address, "/parts")).collect();
    viewers.iter_mut().for_each(read_part);
    // A trap of the guest ends the instance with all its parts, and the next request gets another.
    assert_eq!(get(server.address, "/trap").status, 502);
    assert_eq!(get(server.address, "/ok").status, 200);
}

/// The built-in guest is of WASI 0.2.
pub fn other_versions_are_refused() {
    let output = start_failing(["--camera", "emulated", "--wrap", middleware()]);
    let error = String::from_utf8(output.stderr).unwrap();
    for text in
        ["the built-in guest does not export wasi:http/handler, so", "must be built for the same version of WASI"]
    {
        assert!(error.contains(text), "{text}: {error}");
    }
}
