//! The server returns memory to the system after a burst of requests.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, connect, get, read_head};
use hotshoe_test_support::pictures;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;

/// Half a minute is documented. The rest is a margin for busy machines.
const RETURNED_WITHIN: Duration = Duration::from_secs(60);

/// Requests `path` and reads the response's head, but not its body.
fn start_download(server: &Server, path: &str) -> BufReader<TcpStream> {
    let mut stream = connect(server.address);
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut reader = BufReader::with_capacity(512, stream);
    assert_eq!(read_head(&mut reader).0, 200);
    reader
}

/// After a burst, free memory lies between memory in use. The allocator alone would not return it to the system.
#[test]
fn memory_returns_to_the_system_after_a_burst_of_requests() {
    const READERS: usize = 300;
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 3, 0);
    let camera = format!("emulated:{},fps=2000", folder.path().display());
    let server = Server::start(&["--camera", &camera, "--linger", "0", "--max-requests", "400"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed?fps=10");
    while get(server.address, "/log.csv?rows=5000").text().lines().count() < 5000 {
        viewer.part();
    }
    drop(viewer);
    // Fill caches that are never freed.
    for path in ["/", "/log", "/snapshot", "/state"] {
        assert_eq!(get(server.address, path).status, 200);
    }
    wait_until("all responses have ended", || server.generations()["current"]["under_way"] == 0);
    let idle = server.memory_kib();
    let mut readers: Vec<_> = (0..READERS).map(|_| start_download(&server, "/log?rows=5000")).collect();
    for reader in &mut readers {
        reader.read_exact(&mut [0; 4096]).unwrap();
    }
    for _ in 0..100 {
        assert_eq!(get(server.address, "/snapshot").status, 200);
    }
    let peak = server.memory_kib();
    assert!(peak > idle * 2, "the burst is too small: {idle} KiB grew to {peak} KiB");
    drop(readers);
    let deadline = Instant::now() + RETURNED_WITHIN;
    wait_until("all responses have ended", || server.generations()["current"]["under_way"] == 0);
    while server.memory_kib() * 2 > idle * 3 {
        let now = server.memory_kib();
        assert!(Instant::now() < deadline, "{idle} KiB grew to {peak} KiB and shrank only to {now} KiB");
        std::thread::sleep(Duration::from_millis(500));
    }
}
