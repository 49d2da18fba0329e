//! Viewers that vanish without closing their connections, as in a power cut: their network link goes down.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::network::{Machine, Network};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;

/// The longest time until a viewer behind a dead link is dropped: keepalive, or 10 s without progress after up to 70 s
/// for the data sent before, plus a margin for busy machines.
const DROPPED_WITHIN: Duration = Duration::from_secs(120);

/// The viewers of each path.
const VIEWERS_PER_PATH: usize = 5;

fn curl(machine: &Machine, url: &str) -> Child {
    let mut command = machine.command("curl");
    command.args(["-sN", "-o", "/dev/null", url]).stdin(Stdio::null()).spawn().unwrap()
}

/// The server drops every viewer behind the dead link, on a stream, on the events, and on a stream that is almost
/// silent.
pub fn viewers_are_dropped() {
    let network = Network::new();
    let [serving, watching] = ["server", "viewers"].map(|name| network.machine(name));
    let server = Server::start_command(serving.server(5000, &["--camera", "emulated,fps=20"]));
    let files = server.open_files();
    let paths = ["video_feed", "events", "video_feed?fps=0.00001"];
    let mut viewers: Vec<_> = (0..VIEWERS_PER_PATH)
        .flat_map(|_| paths.map(|path| curl(&watching, &format!("http://{}/{path}", server.address))))
        .collect();
    wait_until("all viewers are connected", || server.open_files() >= files + viewers.len());
    // Let the streams fill all buffers.
    thread::sleep(Duration::from_secs(2));
    watching.disconnect();
    let down_since = Instant::now();
    while server.open_files() > files + 1 {
        assert!(down_since.elapsed() < DROPPED_WITHIN, "{} connections are still open", server.open_files() - files);
        thread::sleep(Duration::from_millis(100));
    }
    viewers.iter_mut().for_each(|viewer| viewer.kill().unwrap());
    viewers.iter_mut().for_each(|viewer| assert!(!viewer.wait().unwrap().success()));
}
