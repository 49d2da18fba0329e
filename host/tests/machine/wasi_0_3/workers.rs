//! Workers.

use hotshoe_test_support::client::get;
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

use super::{component, start};

/// Starts a server whose worker does this.
fn serve(work: &str) -> Server {
    start(&["--guest-env", &format!("WORK={work}"), "--drain", "1"])
}

pub fn run_once_for_each_generation() {
    let server = serve("wait");
    server.wait_for_log("generation 1: guest stdout: working");
    // Requests are answered by other instances.
    assert_eq!(get(server.address, "/ok").status, 200);
    assert_eq!(server.put_guest(&guests::variant(&component(), 1)).status, 200);
    server.wait_for_log("generation 1: guest stdout: replaced");
    server.wait_for_log("generation 2: guest stdout: working");
    assert_eq!(server.log().matches("guest stdout: working").count(), 2, "{}", server.log());
}

pub fn read_cameras() {
    let server = serve("read");
    server.wait_for_log("generation 1: guest stdout: read ");
    server.wait_for_log("generation 1: the worker has finished");
}

pub fn failures_are_restarted() {
    for (work, reason) in [("trap", "out of coffee"), ("leak", "guest stdout: working")] {
        let server = serve(work);
        server.wait_for_log(reason);
        for delay in [1, 2] {
            let message = format!("generation 1: the worker failed, restarting in {delay} s: the guest trapped");
            server.wait_for_log(&message);
        }
        let current = &server.generations()["current"];
        assert_eq!((&current["generation"], &current["failures"]), (&1.into(), &0.into()));
        assert_eq!(get(server.address, "/ok").status, 200);
    }
    // A worker may compute for as long as it likes, after everything else.
    let server = serve("spin");
    server.wait_for_log("generation 1: guest stdout: working");
    for _ in 0..20 {
        assert_eq!(get(server.address, "/ok").status, 200);
    }
    assert!(!server.log().contains("the worker failed"), "{}", server.log());
}
