//! The admin listener: who has access, and how it responds.

use std::fs;
use std::io::{BufReader, Write as _};
use std::net::Ipv6Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use hotshoe_test_support::client::{Reply, connect, get, raw_request, read_head, request, send, send_over};
use hotshoe_test_support::server::{Server, start_failing};
use hotshoe_test_support::{guests, has_ipv6, wait_until};
use rustix::process::Signal;

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];
const TOKEN: &str = "0123456789abcdef0123";

/// Writes a token to a file that only its owner can read.
fn write_token(file: &Path, token: &str) {
    fs::write(file, token).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Starts a server with a token.
fn start_with_token(folder: &Path) -> Server {
    let file = folder.join("token");
    write_token(&file, &format!("{TOKEN}\n"));
    Server::start(&[&CAMERA[..], &["--admin-token-file", file.to_str().unwrap()]].concat())
}

fn error(reply: &Reply) -> String {
    reply.json()["error"].as_str().unwrap().to_owned()
}

#[test]
fn admin_paths_and_viewer_paths_are_served_only_at_their_own_listener() {
    let server = Server::start(&CAMERA);
    assert_eq!(get(server.address, "/guest").status, 404);
    assert_eq!(request(server.address, "PUT", "/guest").status, 404);
    assert_eq!(get(server.admin.unwrap(), "/video_feed").status, 404);
    assert_eq!(get(server.admin.unwrap(), "/").status, 404);
}

#[test]
fn the_admin_listener_works_at_an_ipv6_address() {
    if !has_ipv6() {
        return;
    }
    let server = Server::start(&[&CAMERA[..], &["--admin", "[::1]:0"]].concat());
    let admin = server.admin.unwrap();
    assert_eq!(admin, (Ipv6Addr::LOCALHOST, admin.port()).into());
    assert_eq!(server.put_guest(&guests::serving(guests::TRAPS)).status, 200);
    assert_eq!(server.generation(), 2);
    for (host, status) in
        [("[::1]".to_owned(), 200), ("evil.example".to_owned(), 421), (format!("[::1]:{}", admin.port()), 200)]
    {
        assert_eq!(send(admin, "GET", "/guest", &[("Host", &host)], b"").status, status, "{host}");
    }
}

#[test]
fn web_pages_cannot_replace_the_guest() {
    let server = Server::start(&CAMERA);
    let admin = server.admin.unwrap();
    let own = admin.to_string();
    let component = guests::serving(guests::TRAPS);
    for (method, path) in [("PUT", "/guest"), ("GET", "/guest"), ("POST", "/guest/rollback"), ("OPTIONS", "/guest")] {
        for origin in ["http://evil.example", "null", &format!("http://{}", server.address)] {
            let reply = send(admin, method, path, &[("Origin", origin)], &component);
            assert_eq!((reply.status, reply.header("access-control-allow-origin")), (403, None), "{method} {origin}");
        }
        // DNS rebinding makes a page's own name resolve to this machine.
        for host in ["evil.example", &format!("evil.example:{}", admin.port()), "127.0.0.1.evil.example"] {
            let reply = send(admin, method, path, &[("Host", host)], &component);
            assert_eq!(reply.status, 421, "{method} {host}");
            assert!(error(&reply).contains("--allow-host"));
        }
    }
    let (nameless, _) = raw_request(admin, b"GET /guest HTTP/1.0\r\n\r\n", false);
    assert_eq!(nameless.status, 200, "no browser sends a request without a host");
    server.wait_for_log("admin: denied PUT /guest: requests from web pages are not allowed");
    assert_eq!(server.generation(), 1);
    // The listener's own origin, and requests by address and by name.
    let own_origin = format!("http://{own}");
    assert_eq!(send(admin, "GET", "/guest", &[("Origin", &own_origin)], b"").status, 200);
    assert_eq!(send(admin, "GET", "/guest", &[("Host", &format!("localhost:{}", admin.port()))], b"").status, 200);
}

#[test]
fn a_configured_token_is_required_for_every_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with_token(folder.path());
    let admin = server.admin.unwrap();
    let component = guests::serving(guests::TRAPS);
    for (method, path, authorization) in [
        ("GET", "/guest", "Bearer 0123456789abcdef0124"),
        ("PUT", "/guest", ""),
        ("PUT", "/guest", "Bearer"),
        ("PUT", "/guest", "Bearer 0123456789abcdef0124"),
        ("PUT", "/guest", "Basic MDEyMzQ1Njc4OWFiY2RlZjAxMjM="),
        ("POST", "/guest/rollback", "Bearer 0123456789abcdef0124"),
        ("GET", "/other", ""),
    ] {
        let reply = send(admin, method, path, &[("Authorization", authorization)], &component);
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")), "{authorization}");
    }
    let bearer = format!("Bearer {TOKEN}");
    let reply = send(admin, "PUT", "/guest", &[("Authorization", &bearer)], &component);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(!server.log().contains(TOKEN));
}

#[test]
fn addresses_other_than_loopback_require_a_token() {
    let output = start_failing([&CAMERA[..], &["--admin", "0.0.0.0:0"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("an admin listener at 0.0.0.0:0 needs a token") && stderr.contains("--admin-token-file"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let path = file.to_str().unwrap();
    for (contents, message) in
        [(None, "cannot read"), (Some("short"), "at least 16"), (Some("with a space in it"), "at least")]
    {
        if let Some(contents) = contents {
            write_token(&file, contents);
        }
        let args = ["--admin", "0.0.0.0:0", "--admin-token-file", path];
        let output = start_failing([&CAMERA[..], &args].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(message) && stderr.contains(path), "{stderr}");
    }
    write_token(&file, TOKEN);
    let server = Server::start(&[&CAMERA[..], &["--admin", "0.0.0.0:0", "--admin-token-file", path]].concat());
    let admin = (std::net::Ipv4Addr::LOCALHOST, server.admin.unwrap().port()).into();
    assert_eq!(get(admin, "/guest").status, 401);
    let bearer = format!("Bearer {TOKEN}");
    // With any host name, because no other page has the token.
    assert_eq!(send(admin, "GET", "/guest", &[("Authorization", &bearer), ("Host", "pi.local")], b"").status, 200);
}

#[test]
fn a_unix_socket_is_private_and_removed_on_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    // A killed server leaves its socket behind.
    drop(UnixListener::bind(&socket).unwrap());
    let admin = format!("unix:{}", socket.display());
    let args = [&CAMERA[..], &["--admin", &admin]].concat();
    let mut server = Server::start(&args);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let put = |headers: &[(&str, &str)]| {
        let component = guests::serving(guests::TRAPS);
        send_over(UnixStream::connect(&socket).unwrap(), "whatever", "PUT", "/guest", headers, &component)
    };
    assert_eq!(put(&[("Origin", "http://evil.example")]).status, 403);
    assert_eq!(put(&[]).status, 200);
    server.wait_for_log("generation 2: ");

    // A second server does not take the socket from the first.
    let output = start_failing([&args[..], &["--listen", "127.0.0.1:0"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("is in use") && stderr.contains("--admin"), "{stderr}");
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    let output = start_failing([&CAMERA[..], &["--admin", &format!("unix:{}", file.display())]].concat());
    assert!(String::from_utf8(output.stderr).unwrap().contains("is not a socket"));
    assert_eq!(fs::read(&file).unwrap(), b"precious");

    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(!socket.exists());
}

#[test]
fn the_listener_can_be_off_and_an_address_in_use_is_an_error() {
    let server = Server::start(&[&CAMERA[..], &["--admin", "off"]].concat());
    assert_eq!(server.admin, None);
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let output = start_failing([&CAMERA[..], &["--admin", &address]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("{address} is in use")) && stderr.contains("--admin"));
}

#[test]
fn unknown_methods_get_405_and_unknown_paths_404() {
    let server = Server::start(&CAMERA);
    let admin = server.admin.unwrap();
    for (method, path, status, allow) in [
        ("DELETE", "/guest", 405, Some("GET, HEAD, PUT")),
        ("POST", "/guest", 405, Some("GET, HEAD, PUT")),
        ("GET", "/guest/rollback", 405, Some("POST")),
        ("GET", "/guest/", 404, None),
        ("PUT", "/", 404, None),
    ] {
        let reply = request(admin, method, path);
        assert_eq!((reply.status, reply.header("allow")), (status, allow), "{method} {path}");
        assert!(!error(&reply).is_empty());
    }
    assert_eq!(request(admin, "HEAD", "/guest").status, 200);
}

#[test]
fn an_upload_that_is_cut_off_changes_nothing() {
    let server = Server::start(&CAMERA);
    let component = guests::serving(guests::TRAPS);
    // More than the limit on uploads. None of them holds its permit.
    for _ in 0..5 {
        let mut stream = connect(server.admin.unwrap());
        write!(stream, "PUT /guest HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", component.len())
            .unwrap();
        stream.write_all(&component[..component.len() / 2]).unwrap();
    }
    wait_until("an upload is admitted", || server.put_guest(&component).status != 503);
    assert_eq!(server.generation(), 2);
}

#[test]
fn a_token_file_that_other_users_can_access_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let path = file.to_str().unwrap();
    fs::write(&file, TOKEN).unwrap();
    for mode in [0o644, 0o640, 0o620, 0o602, 0o666] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let output = start_failing([&CAMERA[..], &["--admin-token-file", path]].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(&format!("run `chmod 600 {path}`")), "{mode:o}: {stderr}");
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        Server::start(&[&CAMERA[..], &["--admin-token-file", path]].concat());
    }
}

#[test]
fn wrong_tokens_are_throttled_and_only_some_are_logged() {
    const ATTEMPTS: usize = 300;
    let folder = tempfile::tempdir().unwrap();
    let server = start_with_token(folder.path());
    let admin = server.admin.unwrap();
    let statuses: Vec<_> =
        (0..ATTEMPTS).map(|_| send(admin, "GET", "/guest", &[("Authorization", "Bearer wrong")], b"").status).collect();
    assert_eq!(statuses[..10], [401; 10]);
    assert!(statuses.contains(&429), "{statuses:?}");
    let lines = server.log().lines().filter(|line| line.contains(": the admin token is required")).count();
    // A burst of ten, and one more every ten seconds.
    assert!((1..=30).contains(&lines), "{lines} lines");
    // A client with the right token waits for a second.
    let bearer = format!("Bearer {TOKEN}");
    wait_until("the throttling ends", || {
        send(admin, "GET", "/guest", &[("Authorization", &bearer)], b"").status == 200
    });
}

#[test]
fn slow_uploads_do_not_keep_others_out() {
    let server = Server::start(&CAMERA);
    let admin = server.admin.unwrap();
    // A client that expects `100 Continue` receives it once its upload is admitted.
    let start_upload = || {
        let mut stream = connect(admin);
        write!(stream, "PUT /guest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n").unwrap();
        write!(stream, "Expect: 100-continue\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        assert_eq!(read_head(&mut reader).0, 100);
        reader
    };
    // One client sends nothing. The other sends 20 kB per second, with no pause of five seconds.
    let mut silent = start_upload();
    let mut dripping = start_upload().into_inner();
    std::thread::spawn(move || {
        while dripping.write_all(&[0; 1000]).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    assert_eq!(server.put_guest(b"").status, 503);
    assert_eq!(read_head(&mut silent).0, 408);
    server.wait_for_logs("guest not replaced: the upload took too long", 2);
    wait_until("an upload is admitted", || server.put_guest(&guests::serving(guests::TRAPS)).status == 200);
}
