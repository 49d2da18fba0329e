//! Drivers and filters that take long to load delay nothing but their own pictures.

use std::fs;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::guests::{DRIVES, MASKS_ALWAYS, built_in, driver_file, large_driver, large_masking, variant};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;
use rustix::process::Signal;

use super::wait_for_reason;
use crate::compiler::{compilers, wait_for_end};

/// A number of functions that takes many seconds to compile.
const MANY_FUNCTIONS: usize = 60_000;

/// Takes seconds of a processor, because it needs compilers that are busy for longer than an opening waits.
#[test]
fn drivers_and_filters_that_take_long_to_compile_delay_neither_a_reload_nor_the_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let (_, driver) = driver_file(folder.path(), &large_driver(DRIVES, 1, MANY_FUNCTIONS));
    let (filter, guest) = (folder.path().join("filter.wasm"), folder.path().join("guest.wasm"));
    fs::write(&filter, large_masking(MASKS_ALWAYS, MANY_FUNCTIONS)).unwrap();
    fs::write(&guest, built_in()).unwrap();
    let filtered = format!("filtered=emulated,fps=20,filter={}", filter.display());
    let guest_file = guest.to_str().unwrap();
    let mut server = Server::start(&["--camera", &driver, "--camera", &filtered, "--guest", guest_file, "--no-cache"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let reason = "the driver is being loaded";
    wait_until("viewers learn it", || viewer.part().header("x-outage").is_some_and(|outage| outage.contains(reason)));
    wait_for_reason(&server, reason);
    wait_until("so do viewers of a camera with a filter", || {
        let reply = get(server.address, "/snapshot/filtered");
        reply.status == 503 && reply.text().contains("the filter is being loaded")
    });

    fs::write(&guest, variant(&built_in(), 1)).unwrap();
    server.signal(Signal::HUP);
    wait_until("the guest is replaced", || server.generation() == 2);
    let busy = compilers(server.pid());
    assert_eq!(busy.len(), 2, "{}", server.log());
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    wait_for_end(&busy);
}
