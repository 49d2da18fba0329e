//! Cameras in the network that are real servers: ffmpeg, Python's `http.server`, Flask, ustreamer, and nginx with TLS,
//! credentials and buffering in between.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hotshoe_conformance::{Requirements, program};
use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::pictures::jpeg_size;
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::{built_in_pictures, wait_until, workspace};

use crate::harness::run_successfully;

/// The server that the Flask tutorial builds: a generator of parts without lengths.
const FLASK: &str = "
import sys, time
from flask import Flask, Response
app = Flask(__name__)
frames = [open(name, 'rb').read() for name in sys.argv[2:]]
def parts():
    while True:
        for frame in frames:
            time.sleep(0.05)
            yield b'--frame\\r\\nContent-Type: image/jpeg\\r\\n\\r\\n' + frame + b'\\r\\n'
@app.route('/video_feed')
def video_feed():
    return Response(parts(), mimetype='multipart/x-mixed-replace; boundary=frame')
app.run(host='127.0.0.1', port=int(sys.argv[1]), threaded=True)
";

/// A server that asks for Digest credentials as IP cameras do, with MD5 and a nonce that is valid for three requests.
const DIGEST: &str = "
import hashlib, http.server, re, sys
image = open(sys.argv[2], 'rb').read()
nonce, uses = 1000, 0
def md5(text): return hashlib.md5(text.encode()).hexdigest()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        global nonce, uses
        answer = dict(re.findall(r'(\\w+)=\"?([^\",]*)', self.headers.get('Authorization', '')))
        secret = md5('admin:cam:pass word')
        request = md5('GET:' + self.path)
        right = md5(':'.join([secret, str(nonce), answer.get('nc', ''), answer.get('cnonce', ''), 'auth', request]))
        is_right = answer.get('response') == right and answer.get('uri') == self.path
        uses += is_right
        if is_right and uses <= 3:
            self.send_response(200)
            self.send_header('Content-Type', 'image/jpeg')
            body = image
        else:
            stale = str(is_right).lower()
            nonce, uses = nonce + is_right, 0
            self.send_response(401)
            challenge = f'Digest realm=\"cam\", nonce=\"{nonce}\", qop=\"auth\", algorithm=MD5, stale={stale}'
            self.send_header('WWW-Authenticate', challenge)
            body = b''
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

/// A server in a process of its own. Killed when dropped.
struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    /// Starts a server at this address, and waits until it accepts connections if `listens`.
    fn start(mut command: Command, address: SocketAddr, listens: bool) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let peer = Self { child, address };
        if listens {
            wait_until("the server listens", || TcpStream::connect(peer.address).is_ok());
        }
        peer
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn frames() -> [String; 3] {
    ["1", "2", "3"].map(|name| workspace().join(format!("frames/{name}.jpg")).to_str().unwrap().to_owned())
}

fn python(script: &str, address: SocketAddr, arguments: &[String]) -> Command {
    let mut command = Command::new(program::python());
    command.args(["-c", script, &address.port().to_string()]).args(arguments);
    command
}

/// Reads parts until all built-in pictures have appeared.
#[track_caller]
fn shows_all_pictures(server: &Server, camera: &str) {
    let mut missing = built_in_pictures();
    let mut viewer = Viewer::watch(server.address, &format!("/video_feed/{camera}"));
    let mut parts = 0;
    while !missing.is_empty() {
        let part = viewer.part();
        missing.retain(|picture| *picture != part.jpeg);
        parts += 1;
        assert!(parts < 200, "not all pictures of {camera} appear: {:?}", part.headers);
    }
}

/// ffmpeg's `mpjpeg` does not declare its type, and serves one client once.
pub fn ffmpeg() {
    let address = free_address();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args("-loglevel error -re -f lavfi -i testsrc=size=320x240:rate=10 -f mpjpeg -listen 1".split(' '));
    ffmpeg.arg(format!("http://{address}/"));
    let server = Server::start(&["--camera", &format!("front=http://{address}/")]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    // A connection only to see whether it listens would be its one client.
    let _ffmpeg = Peer::start(ffmpeg, address, false);
    server.wait_for_log("camera front: opened at 320x240");
    let mut sizes = std::iter::repeat_with(|| jpeg_size(&viewer.part().jpeg));
    assert!(sizes.any(|size| size == (320, 240)));
}

/// A file that Python serves, requested with If-Modified-Since.
pub fn python_http_server() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("now.jpg"), &built_in_pictures()[0]).unwrap();
    let address = free_address();
    let mut command = Command::new(program::python());
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &address.port().to_string()]).current_dir(folder.path());
    let peer = Peer::start(command, address, true);
    let server = Server::start(&["--camera", &format!("front={},fps=10", peer.url("/now.jpg"))]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    assert_eq!(viewer.part().jpeg, built_in_pictures()[0]);
    // The time of modification has a resolution of a second.
    wait_until("the picture has changed", || {
        fs::write(folder.path().join("now.jpg"), &built_in_pictures()[1]).unwrap();
        viewer.part().jpeg == built_in_pictures()[1]
    });
}

/// Returns what the test with Flask lacks.
pub fn missing_flask() -> Option<String> {
    Requirements { programs: &[], python_modules: &["flask"] }.missing()
}

pub fn flask() {
    let address = free_address();
    let peer = Peer::start(python(FLASK, address, &frames()), address, true);
    let server = Server::start(&["--camera", &format!("front={}", peer.url("/video_feed"))]);
    shows_all_pictures(&server, "front");
}

/// Digest credentials, with nonces that expire.
pub fn digest() {
    let folder = tempfile::tempdir().unwrap();
    let file = credentials_file(folder.path(), "admin:pass word");
    let wrong = tempfile::tempdir().unwrap();
    let wrong = credentials_file(wrong.path(), "admin:other");
    let address = free_address();
    let peer = Peer::start(python(DIGEST, address, &frames()[..1]), address, true);
    let url = peer.url("/cam.jpg?size=1");
    let server = Server::start(&["--camera", &format!("front={url},fps=20,credentials={file}")]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    // For longer than three nonces.
    for _ in 0..3 {
        assert_eq!(viewer.part().jpeg, built_in_pictures()[0]);
    }
    assert_eq!(server.warnings(), [""; 0]);
    let server = Server::start(&["--camera", &format!("front={url},credentials={wrong}")]);
    let reason = get(server.address, "/snapshot").text();
    assert!(reason.contains("refuses the user name or the password"), "{reason}");
}

pub fn ustreamer() {
    let address = free_address();
    let mut ustreamer = Command::new("ustreamer");
    // Without a device, it serves its own picture and says so.
    ustreamer.args(["--device", "/dev/video987", "--host", "127.0.0.1", "--port", &address.port().to_string()]);
    let peer = Peer::start(ustreamer, address, true);
    let extra = format!("extra={}", peer.url("/stream?extra_headers=1"));
    let server = Server::start(&["--camera", &format!("plain={}", peer.url("/stream")), "--camera", &extra]);
    assert_eq!(get(server.address, "/snapshot/plain").status, 200);
    let reason = get(server.address, "/snapshot/extra");
    assert_eq!(reason.status, 503);
    assert!(reason.text().contains("the server has no picture from its camera"), "{}", reason.text());
}

/// Another Hotshoe behind nginx with TLS, Basic credentials and buffering, and with a certificate that only its own
/// issuer trusts.
pub fn nginx_with_tls() {
    let origin = Server::start(&["--camera", "emulated,fps=20"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    create_certificate(path);
    let address = free_address();
    let _nginx = start_nginx_with_tls(path, origin.address, address, "");
    let file = credentials_file(path, "ali:sesame");
    let url = format!("https://localhost:{}/video_feed,credentials={file}", address.port());
    let cameras = ["--camera", &format!("strict={url}"), "--camera", &format!("any={url},insecure")];
    let server = Server::start(&cameras);
    server.wait_for_log("WARN camera any: the certificate of https://localhost");
    shows_all_pictures(&server, "any");
    let reason = get(server.address, "/snapshot/strict").text();
    assert!(reason.contains("invalid peer certificate") && reason.contains("`insecure`"), "{reason}");
    // With its issuer among the certificates of the system, it is trusted.
    let mut trusting = command();
    trusting.args(cameras).env("SSL_CERT_FILE", path.join("cert.pem"));
    let trusting = Server::start_command(trusting);
    shows_all_pictures(&trusting, "strict");
}

/// Starts nginx in front of a server, with TLS, the certificate of [`create_certificate`], and Basic credentials.
/// `more` is added to its configuration of HTTP.
fn start_nginx_with_tls(path: &Path, origin: SocketAddr, address: SocketAddr, more: &str) -> Peer {
    let hash = run_successfully(Command::new("openssl").args(["passwd", "-apr1", "sesame"])).stdout;
    fs::write(path.join("htpasswd"), format!("ali:{}", String::from_utf8(hash).unwrap())).unwrap();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind}; ", path.display()))
        .concat();
    let configuration = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log; events {{}} http {{ {temporary}
         log_format sent '$scheme $status $http_authorization'; access_log {0}/access.log sent;
         server {{ listen {address} ssl; ssl_certificate {0}/cert.pem; ssl_certificate_key {0}/key.pem;
         location / {{ proxy_pass http://{origin}/; auth_basic cam; auth_basic_user_file {0}/htpasswd; }} }}
         {more} }}",
        path.display(),
    );
    fs::write(path.join("nginx.conf"), configuration).unwrap();
    let mut nginx = Command::new("nginx");
    nginx.args(["-e", "stderr", "-p"]).arg(path).arg("-c").arg(path.join("nginx.conf"));
    Peer::start(nginx, address, true)
}

/// A server that redirects from `http` to `https` at the default ports gets the credentials, and only over `https`,
/// also when the camera is opened again. If it asks over `http` as well, both get them.
pub fn redirect_to_https() {
    let origin = Server::start(&["--camera", "emulated,fps=20"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    create_certificate(path);
    // An address of this machine at which nothing else listens.
    let address = SocketAddr::from(([127, 80, 44, 3], 443));
    let redirect = format!(
        "server {{ listen {0}:80;
         location /twice/ {{ auth_basic cam; auth_basic_user_file {1}/htpasswd; try_files /nothing @redirect; }}
         location @redirect {{ return 301 https://$host/video_feed; }}
         location /video_feed {{ return 301 https://$host$request_uri; }} }}",
        address.ip(),
        path.display(),
    );
    let _nginx = start_nginx_with_tls(path, origin.address, address, &redirect);
    let file = credentials_file(path, "ali:sesame");
    let camera = format!("door=http://{}/video_feed,insecure,credentials={file}", address.ip());
    let server = Server::start(&["--camera", &camera, "--linger", "0"]);
    for opened in 1..=2 {
        shows_all_pictures(&server, "door");
        server.wait_for_logs("camera door: closed", opened);
    }
    // The last request is logged when its stream ends.
    let log = || fs::read_to_string(path.join("access.log")).unwrap();
    wait_until("both streams have ended", || log().matches("https 200 Basic").count() == 2);
    assert_eq!(log().lines().filter(|line| line.starts_with("http ")).count(), 2, "{}", log());
    assert!(log().lines().filter(|line| line.starts_with("http ")).all(|line| line == "http 301 -"), "{}", log());

    let camera = format!("twice=http://{}/twice/,insecure,credentials={file}", address.ip());
    let server = Server::start(&["--camera", &camera]);
    shows_all_pictures(&server, "twice");
    assert!(log().contains("http 301 Basic"), "{}", log());
}

fn credentials_file(folder: &Path, content: &str) -> String {
    let path = folder.join("credentials");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn create_certificate(folder: &Path) {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                     -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
                     -keyout key.pem -out cert.pem";
    run_successfully(Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder));
}
