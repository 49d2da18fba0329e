//! Listening: several addresses, IPv4 and IPv6, and Unix sockets.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::{Server, start_failing};
use hotshoe_test_support::{DEADLINE, built_in_pictures, has_ipv6};
use socket2::{Domain, SockAddr, Socket, Type};

/// Waits until the server has logged `count` URLs, and returns them.
fn urls(server: &Server, count: usize) -> Vec<String> {
    const OPEN: &str = "INFO open ";
    server.wait_for_logs(OPEN, count);
    server.log().lines().filter_map(|line| Some(line.split_once(OPEN)?.1.to_owned())).collect()
}

/// Returns the status of a GET at this address.
fn status_at(ip: impl Into<IpAddr>, port: u16) -> u16 {
    get(SocketAddr::new(ip.into(), port), "/state").status
}

#[test]
fn localhost_listens_at_both_loopback_addresses() {
    for input in ["localhost:0", "0"] {
        let server = Server::start(&["--camera", "emulated", "--listen", input]);
        let port = server.address.port();
        assert_eq!(status_at(Ipv4Addr::LOCALHOST, port), 200);
        let mut expected = vec![format!("http://127.0.0.1:{port}/")];
        if has_ipv6() {
            assert_eq!(status_at(Ipv6Addr::LOCALHOST, port), 200);
            expected.push(format!("http://[::1]:{port}/"));
        }
        assert_eq!(urls(&server, expected.len()), expected);
    }
}

#[test]
fn a_colon_and_a_port_listen_at_all_ipv4_and_ipv6_addresses() {
    let server = Server::start(&["--camera", "emulated", "--listen", ":0"]);
    let port = server.address.port();
    assert_eq!(status_at(Ipv4Addr::LOCALHOST, port), 200);
    // All of 127.0.0.0/8 is this machine.
    assert_eq!(status_at(Ipv4Addr::new(127, 0, 0, 2), port), 200);
    if has_ipv6() {
        assert_eq!(status_at(Ipv6Addr::LOCALHOST, port), 200);
        assert_eq!(urls(&server, 1), [format!("http://[::1]:{port}/")]);
    }
}

/// The log said only how to open the page on the same machine.
#[test]
fn the_log_of_a_server_at_all_addresses_has_a_url_for_other_machines() {
    let server = Server::start(&["--camera", "emulated", "--listen", "0.0.0.0:0"]);
    let port = server.address.port();
    // The address that the kernel would choose for packets to others.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    if socket.connect("192.0.2.1:9").is_ok() {
        let own = socket.local_addr().unwrap().ip();
        server.wait_for_log(&format!("other machines open http://{own}:{port}/"));
        assert_eq!(status_at(own, port), 200);
    }
    let local = Server::start(&["--camera", "emulated"]);
    local.wait_for_log("INFO open http://127.0.0.1:");
    assert_eq!(get(local.address, "/state").status, 200);
    assert!(!local.log().contains("other machines"), "{}", local.log());
}

#[test]
fn an_ipv6_address_serves_the_page_snapshots_and_streams() {
    if !has_ipv6() {
        return;
    }
    let server = Server::start(&["--camera", "emulated,fps=20", "--listen", "[::1]:0"]);
    let port = server.address.port();
    assert_eq!(server.address, (Ipv6Addr::LOCALHOST, port).into());
    assert_eq!(urls(&server, 1), [format!("http://[::1]:{port}/")]);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(), "only the given address");
    for path in ["/", "/state"] {
        assert_eq!(get(server.address, path).status, 200, "{path}");
    }
    assert!(built_in_pictures().contains(&get(server.address, "/snapshot").body));
    assert!(built_in_pictures().contains(&Viewer::watch(server.address, "/video_feed").part().jpeg));
}

#[test]
fn several_addresses_serve_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("web");
    let unix = format!("unix:{}", socket.display());
    let listen = ["--listen", "127.0.0.1:0", "--listen", &unix, "--listen", "127.0.0.2:0"];
    let server = Server::start(&[&["--camera", "emulated,fps=20"][..], &listen].concat());
    let urls = urls(&server, 3);
    assert_eq!(urls[1], unix);
    let second: SocketAddr = urls[2].trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    for address in [server.address, second] {
        Viewer::watch(address, "/video_feed").part();
        assert_eq!(get(address, "/snapshot").status, 200);
    }
}

#[test]
fn a_unix_socket_serves_its_group_and_is_removed_at_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("web");
    let unix = format!("unix:{}", socket.display());
    let mut server = Server::start(&["--camera", "emulated,fps=20", "--listen", "127.0.0.1:0", "--listen", &unix]);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let send = |request: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let mut reply = Vec::new();
    send("GET /snapshot HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").read_to_end(&mut reply).unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&reply));
    assert!(built_in_pictures().iter().any(|picture| reply.ends_with(picture)));
    // The head of the third part follows two whole ones.
    let mut stream = BufReader::new(send("GET /video_feed HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let mut parts = 0;
    while parts < 3 {
        let mut line = Vec::new();
        assert!(stream.read_until(b'\n', &mut line).unwrap() > 0, "the stream ended");
        parts += usize::from(line.to_ascii_lowercase().starts_with(b"content-type: image/jpeg"));
    }
    drop(stream);
    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait().success());
    assert!(!socket.exists());
}

/// Any socket that could not be connected to was taken for one that a killed server had left behind.
#[test]
fn only_a_unix_socket_without_a_server_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web");
    let unix = format!("unix:{}", path.display());
    let fails = |expected: &str| {
        let output = start_failing(["--camera", "emulated", "--listen", &unix]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(expected), "{error}");
        assert!(path.exists(), "it is gone");
    };

    let datagrams = UnixDatagram::bind(&path).unwrap();
    fails("Protocol wrong type for socket");
    drop(datagrams);
    fs::remove_file(&path).unwrap();

    // Its server hangs, and its queue is full.
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            client.set_nonblocking(true).unwrap();
            (client.connect(&SockAddr::unix(&path).unwrap()).err(), client)
        })
        .collect();
    assert!(waiting.iter().any(|(error, _)| error.is_some()), "the queue is not full");
    fails("is in use");
    drop((waiting, listener));

    let server = Server::start(&["--camera", "emulated", "--listen", "127.0.0.1:0", "--listen", &unix]);
    assert_eq!(urls(&server, 2)[1], unix);
}
