//! A tree of servers with HAProxy in front of the relays, configured as `docs/scaling.md` says.

use std::net::TcpListener;
use std::process::Command;

use hotshoe_test_support::balancer::Balancer;
use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, wait_until};

/// Enough that every relay has several.
const VIEWERS: usize = 12;

fn viewers(server: &Server) -> u64 {
    get(server.address, "/state").json()["result"]["stream"]["clients"].as_u64().unwrap()
}

/// Viewers are spread over the relays, and each relay reads one stream. If a relay dies, its viewers get the picture
/// from another one, and the others notice nothing.
pub fn viewers_of_a_dead_relay_return() {
    let origin = Server::start(&["--camera", "front=emulated,fps=20"]);
    let url = format!("front=http://{}/video_feed", origin.address);
    let mut relays: Vec<_> = (0..3).map(|_| Server::start(&["--camera", &url])).collect();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let addresses = std::array::from_fn(|number| relays[number].address);
    let balancer = Balancer::start(Command::new("haproxy"), address, addresses);
    let watch = || Viewer::watch(balancer.address, "/video_feed");
    let mut watching: Vec<_> = (0..VIEWERS).map(|_| watch()).collect();
    for viewer in &mut watching {
        assert!(built_in_pictures().contains(&viewer.part().jpeg));
    }
    assert_eq!(relays.iter().map(viewers).collect::<Vec<_>>(), [4, 4, 4]);
    assert_eq!(viewers(&origin), 3);
    drop(relays.remove(0));
    let mut returned = 0;
    let mut last = Vec::new();
    for mut viewer in watching {
        // A part is received in 50 ms, and what the balancer holds is less than a hundred.
        let is_alive = (0..100).all(|_| viewer.try_part().is_ok());
        if !is_alive {
            returned += 1;
            viewer = watch();
        }
        last.push(viewer);
    }
    assert_eq!(returned, 4, "only the viewers of the dead relay lost their connection");
    for viewer in &mut last {
        assert!(built_in_pictures().contains(&viewer.part().jpeg));
    }
    wait_until("all viewers are back", || relays.iter().map(viewers).sum::<u64>() == VIEWERS as u64);
    assert_eq!(viewers(&origin), 2);
}
