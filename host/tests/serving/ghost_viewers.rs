//! Viewers that cause no traffic, or are gone without a word: each is sent something at least every ten seconds, and
//! noticed when it does not answer.

use std::io::{BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, connect, read_head};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{guests, wait_until};

/// The longest pause of a stream, and what a busy machine adds.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// A server whose guest publishes one part and nothing more for an hour.
fn publishing_once() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let guest = folder.path().join("guest.wasm");
    let once = guests::PUBLISHES.replace("(i64.const 20)", "(i64.const 3600000)");
    std::fs::write(&guest, guests::publishing("c", &once, "part")).unwrap();
    Server::start(&["--camera", "emulated", "--guest", guest.to_str().unwrap()])
}

#[test]
fn a_part_comes_every_ten_seconds_whatever_rate_was_asked_for() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed?fps=0.00001");
    viewer.part();
    let first = Instant::now();
    viewer.part();
    let pause = first.elapsed();
    assert!(pause > Duration::from_secs(5) && pause < LONGEST_PAUSE, "{pause:?}");
}

#[test]
fn on_a_silent_channel_the_newest_part_comes_again_every_ten_seconds() {
    let server = publishing_once();
    let mut viewer = Viewer::watch(server.address, "/bad");
    assert_eq!(viewer.chunk(), b"opening\npart");
    let first = Instant::now();
    assert_eq!(viewer.chunk(), b"part");
    let pause = first.elapsed();
    assert!(pause > Duration::from_secs(5) && pause < LONGEST_PAUSE, "{pause:?}");
}

#[test]
fn so_it_does_for_a_client_of_http_1_0() {
    let server = publishing_once();
    let mut stream = connect(server.address);
    write!(stream, "GET /bad HTTP/1.0\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    assert_eq!(read_head(&mut reader).0, 200);
    let mut body = [0; 16];
    reader.read_exact(&mut body).unwrap();
    assert_eq!(&body, b"opening\npartpart");
}

/// By when a viewer must be dropped whose link is down: keepalive, or 10 seconds and 70 for what it was sent before.
const VANISHED: Duration = Duration::from_secs(120);

/// A network namespace with one link to this one, at 10.77.0.2. Removed when dropped.
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

    fn curl(&self, url: &str) -> Child {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, "curl", "-sN", "-o", "/dev/null", url]);
        command.stdin(Stdio::null()).spawn().unwrap()
    }

    fn cut_the_link(&self) {
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

#[test]
#[ignore = "needs root, iproute2 and curl: cargo test --test serving -- --ignored ghost_viewers"]
fn viewers_whose_power_was_cut_are_dropped() {
    const EACH: usize = 5;
    let namespace = Namespace::new();
    let server = Server::start(&["--camera", "emulated,fps=20", "--listen", "10.77.0.1:0"]);
    let files = server.open_files();
    let paths = ["video_feed", "events", "video_feed?fps=0.00001"];
    let mut viewers: Vec<_> = (0..EACH)
        .flat_map(|_| paths.map(|path| namespace.curl(&format!("http://{}/{path}", server.address))))
        .collect();
    wait_until("all of them watch", || server.open_files() >= files + viewers.len());
    // Until their pictures fill no more buffers.
    thread::sleep(Duration::from_secs(2));
    namespace.cut_the_link();
    let cut = Instant::now();
    while server.open_files() > files + 1 {
        assert!(cut.elapsed() < VANISHED, "{} more files are open than before", server.open_files() - files);
        thread::sleep(Duration::from_millis(100));
    }
    viewers.iter_mut().for_each(|viewer| viewer.kill().unwrap());
    viewers.iter_mut().for_each(|viewer| assert!(!viewer.wait().unwrap().success()));
}
