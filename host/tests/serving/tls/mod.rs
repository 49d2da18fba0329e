//! TLS: what clients get, and which certificate they see.

mod attacks;

use std::fs;
use std::io::{BufReader, Read as _, Write as _};

use hotshoe_test_support::client::{Reply, Viewer, connect, raw_request, read_head, send_over};
use hotshoe_test_support::server::{Server, start_failing};
use hotshoe_test_support::tls::{FIRST, RENEWED, TlsStream, command_with_tls, connect_tls, start, tls_with};
use hotshoe_test_support::{client, wait_until};
use rustls::pki_types::CertificateDer;

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

fn get(server: &Server, path: &str) -> Reply {
    send_over(connect_tls(server.address), &server.address.to_string(), "GET", path, &[], b"")
}

fn watch(server: &Server, path: &str) -> Viewer<TlsStream> {
    Viewer::watch_through(connect_tls(server.address), &server.address.to_string(), path, &[])
}

/// The certificate that a new client sees.
fn certificate(server: &Server) -> CertificateDer<'static> {
    let mut stream = connect_tls(server.address);
    stream.conn.complete_io(&mut stream.sock).unwrap();
    stream.conn.peer_certificates().unwrap()[0].clone()
}

#[test]
fn pages_snapshots_and_streams_are_served_over_tls_by_http_1_1_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &CAMERA);
    assert_eq!(
        server.wait_for_log("INFO open https://").split_once("open ").unwrap().1,
        format!("https://{}/", server.address)
    );
    for path in ["/", "/snapshot", "/state"] {
        assert_eq!(get(&server, path).status, 200, "{path}");
    }
    let mut viewer = watch(&server, "/video_feed");
    let sequences: Vec<_> = (0..20).map(|_| viewer.part().sequence()).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");

    // Keep-alive: two requests on one connection.
    let mut stream = connect_tls(server.address);
    for _ in 0..2 {
        write!(stream, "GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let (status, headers) = read_head(&mut BufReader::with_capacity(1, &mut stream));
        assert_eq!(status, 200);
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length")).unwrap();
        stream.read_exact(&mut vec![0; length.1.parse().unwrap()]).unwrap();
    }
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));

    let mut http2 = tls_with(connect(server.address), &[b"h2"]);
    let error = http2.conn.complete_io(&mut http2.sock).unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
}

#[test]
fn many_viewers_over_tls_share_the_camera_and_each_gets_whole_parts() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &CAMERA);
    let mut viewers: Vec<_> = (0..20).map(|_| watch(&server, "/video_feed")).collect();
    for _ in 0..10 {
        for viewer in &mut viewers {
            viewer.part();
        }
    }
    assert_eq!(server.capture_threads(), 1);
    // They leave without a word, as killed clients do.
    let files = server.open_files();
    drop(viewers);
    wait_until("their connections are closed", || server.open_files() + 20 <= files);
}

#[test]
fn a_plain_http_request_to_an_address_for_https_gets_400_and_an_explanation() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &CAMERA);
    let (reply, rest) = raw_request(server.address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", false);
    rest.unwrap();
    assert_eq!(reply.status, 400);
    assert_eq!(reply.text(), "400 this address is for HTTPS: use https:// instead of http://\n");
    assert_eq!(get(&server, "/state").status, 200);
}

#[test]
fn plain_addresses_and_addresses_with_tls_serve_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let unix = format!("tls:unix:{}", socket.display());
    let listen = ["--listen", "127.0.0.1:0", "--listen", "tls:127.0.0.1:0", "--listen", &unix];
    let server = Server::start_command(command_with_tls(folder.path(), &[&CAMERA[..], &listen].concat()));
    assert_eq!(client::get(server.address, "/state").status, 200);
    let url = server.wait_for_log("open https://");
    let address = url.split_once("https://").unwrap().1.trim_end_matches('/').parse().unwrap();
    assert_eq!(send_over(connect_tls(address), "localhost", "GET", "/state", &[], b"").status, 200);
    server.wait_for_log(&format!("open {unix}"));
}

#[test]
fn the_admin_listener_serves_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command_with_tls(folder.path(), &CAMERA);
    command.args(["--listen", "127.0.0.1:0", "--admin", "tls:127.0.0.1:0"]);
    let server = Server::start_command(command);
    let admin = server.admin.unwrap();
    server.wait_for_log(&format!("admin at https://{admin}/guest"));
    let reply = send_over(connect_tls(admin), &admin.to_string(), "GET", "/guest", &[], b"");
    assert_eq!(reply.json()["current"]["generation"], 1);
    assert_eq!(raw_request(admin, b"GET /guest HTTP/1.1\r\nHost: localhost\r\n\r\n", false).0.status, 400);
}

#[test]
fn a_renewed_certificate_is_used_by_new_connections_while_streams_continue() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &CAMERA);
    assert_eq!(certificate(&server), FIRST.der());
    let mut viewer = watch(&server, "/video_feed");
    viewer.part();

    // A certificate without its key is not used.
    fs::write(folder.path().join("server.pem"), RENEWED.certificate).unwrap();
    server.wait_for_log("TLS: the certificate stays as it was: the TLS certificate");
    assert_eq!(certificate(&server), FIRST.der());
    fs::remove_file(folder.path().join("server.key")).unwrap();
    assert_eq!(certificate(&server), FIRST.der());

    RENEWED.write(folder.path());
    server.wait_for_log("TLS: new connections get the new certificate");
    assert_eq!(certificate(&server), RENEWED.der());
    (0..20).for_each(|_| drop(viewer.part()));
}

#[test]
fn certificates_that_cannot_be_used_end_the_start_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = FIRST.write(folder.path()).map(|path| path.to_str().unwrap().to_owned());
    let error = |listen: &str, certificate: &str, key: &str| {
        let args = ["--camera", "emulated", "--listen", listen, "--tls-certificate", certificate, "--tls-key", key];
        String::from_utf8(start_failing(args).stderr).unwrap()
    };
    let unused = error("127.0.0.1:0", &certificate, &key);
    assert!(unused.contains("no address uses the TLS certificate; write tls: in front of one"), "{unused}");
    let missing = error("tls:127.0.0.1:0", "/nonexistent", &key);
    assert!(missing.contains("cannot read the TLS certificate /nonexistent: No such file"), "{missing}");
    let swapped = error("tls:127.0.0.1:0", &key, &key);
    assert!(swapped.contains("contains no certificate"), "{swapped}");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let public = error("tls:127.0.0.1:0", &certificate, &key);
    assert!(public.contains("other users can access the TLS key"), "{public}");
    let without =
        String::from_utf8(start_failing(["--camera", "emulated", "--listen", "tls:127.0.0.1:0"]).stderr).unwrap();
    assert!(without.contains("--listen tls:127.0.0.1:0 needs a certificate; add --tls-certificate FILE"), "{without}");
}
