//! Viewers that vanish without closing their connections, as in a power cut: their network link goes down.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;

/// The longest time until a viewer behind a dead link is dropped: keepalive, or 10 s without progress after up to 70 s
/// for the data sent before, plus a margin for busy machines.
const DROPPED_WITHIN: Duration = Duration::from_secs(120);

/// The viewers of each path.
const VIEWERS_PER_PATH: usize = 5;

/// A network namespace with the address 10.77.0.2, linked to 10.77.0.1 in this one. Removed when dropped.
struct Namespace(String);

impl Namespace {
    fn new() -> Self {
        let namespace = Self(format!("hotshoe-{}", std::process::id()));
        let Self(name) = &namespace;
        ip(&["netns", "add", name]);
        ip(&["link", "add", "hotshoe0", "type", "veth", "peer", "name", "hotshoe1", "netns", name]);
        ip(&["addr", "add", "10.77.0.1/24", "dev", "hotshoe0"]);
        ip(&["link", "set", "hotshoe0", "up"]);
        ip(&["-n", name, "addr", "add", "10.77.0.2/24", "dev", "hotshoe1"]);
        ip(&["-n", name, "link", "set", "hotshoe1", "up"]);
        namespace
    }

    /// Starts curl inside the namespace.
    fn curl(&self, url: &str) -> Child {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, "curl", "-sN", "-o", "/dev/null", url]);
        command.stdin(Stdio::null()).spawn().unwrap()
    }

    fn take_link_down(&self) {
        ip(&["-n", &self.0, "link", "set", "hotshoe1", "down"]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

fn ip(args: &[&str]) {
    assert!(Command::new("ip").args(args).status().unwrap().success(), "ip {args:?}");
}

/// The server drops every viewer behind the dead link, on a stream, on the events, and on a stream that is almost
/// silent.
pub fn viewers_are_dropped() {
    let namespace = Namespace::new();
    let server = Server::start(&["--camera", "emulated,fps=20", "--listen", "10.77.0.1:0"]);
    let files = server.open_files();
    let paths = ["video_feed", "events", "video_feed?fps=0.00001"];
    let mut viewers: Vec<_> = (0..VIEWERS_PER_PATH)
        .flat_map(|_| paths.map(|path| namespace.curl(&format!("http://{}/{path}", server.address))))
        .collect();
    wait_until("all viewers are connected", || server.open_files() >= files + viewers.len());
    // Let the streams fill all buffers.
    thread::sleep(Duration::from_secs(2));
    namespace.take_link_down();
    let down_since = Instant::now();
    while server.open_files() > files + 1 {
        assert!(down_since.elapsed() < DROPPED_WITHIN, "{} connections are still open", server.open_files() - files);
        thread::sleep(Duration::from_millis(100));
    }
    viewers.iter_mut().for_each(|viewer| viewer.kill().unwrap());
    viewers.iter_mut().for_each(|viewer| assert!(!viewer.wait().unwrap().success()));
}
