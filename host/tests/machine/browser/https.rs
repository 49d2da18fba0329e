//! The page over HTTPS, behind nginx with HTTP/1.1 and HTTP/2, at the root and below a path.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hotshoe_conformance::browser::Kind;
use serde_json::json;

use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;

use super::helpers::{cameras, start, wait_for, wait_until_live};
use crate::harness::run_successfully;

/// Eight cameras are live.
pub fn works_over_https(kind: Kind) {
    let server = Server::start(&cameras(8));
    let nginx = Nginx::start(server.address);
    let browser = start(kind);
    for (protocol, address) in [("http/1.1", nginx.http_1), ("h2", nginx.http_2)] {
        for path in ["", "cam/era/"] {
            browser.open(&format!("https://{address}/{path}")).unwrap();
            wait_until_live(&browser, 8);
            let negotiated = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";
            // WebKit does not always report the protocol.
            if kind != Kind::WebKit {
                wait_for(&browser, negotiated, &json!(protocol));
            }
        }
    }
}

/// nginx in front of a server. Stopped when dropped.
struct Nginx {
    process: Child,
    http_1: SocketAddr,
    http_2: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Nginx {
    fn start(server: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        create_certificate(folder.path());
        let [http_1, http_2] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let locations = format!(
            "location / {{ proxy_pass http://{server}/; proxy_http_version 1.1; }}
             location /cam/era/ {{ proxy_pass http://{server}/; proxy_http_version 1.1; }}"
        );
        let site = |listen: String| {
            format!("server {{ listen {listen}; ssl_certificate cert.pem; ssl_certificate_key key.pem; {locations} }}")
        };
        let configuration = format!(
            "daemon off; pid nginx.pid; error_log error.log; worker_processes 1;
             events {{ worker_connections 256; }}
             http {{
                access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                {} {}
             }}",
            site(format!("{http_1} ssl")),
            site(format!("{http_2} ssl http2")),
        );
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
        // As root, nginx would change to a user who cannot read the folder.
        if rustix::process::geteuid().is_root() {
            command.args(["-g", "user root;"]);
        }
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("nginx listens", || TcpStream::connect(http_2).is_ok());
        Self { process, http_1, http_2, _folder: folder }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM also stops the workers, unlike SIGKILL.
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.process),
            rustix::process::Signal::TERM,
        );
        let _ = self.process.wait();
    }
}

/// Creates a self-signed certificate. The browsers' `acceptInsecureCerts` accepts it.
fn create_certificate(folder: &Path) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]);
    command.args(["-addext", "subjectAltName=IP:127.0.0.1"]);
    command.arg("-keyout").arg(folder.join("key.pem")).arg("-out").arg(folder.join("cert.pem"));
    run_successfully(&mut command);
}
