//! The server behind a real nginx with common configurations.

use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use hotshoe_test_support::client::{Reply, read_head, send_over};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, built_in_pictures, wait_until};

/// Names and contents of `location /NAME/ { … }`. `SERVER` is replaced by the server's address.
const LOCATIONS: [(&str, &str); 7] = [
    ("stock", "proxy_pass http://SERVER/;"),
    ("host", "proxy_pass http://SERVER/; proxy_set_header Host $host;"),
    ("http_host", "proxy_pass http://SERVER/; proxy_set_header Host $http_host;"),
    // From the configurations of Mainsail and Fluidd for Klipper.
    ("upstream", "proxy_pass http://mjpgstreamer1/; postpone_output 0; proxy_buffering off;"),
    (
        "x_forwarded",
        "proxy_pass http://SERVER/; proxy_set_header X-Forwarded-Host $http_host; \
         proxy_set_header X-Forwarded-Proto $scheme;",
    ),
    ("x_forwarded_without_port", "proxy_pass http://SERVER/; proxy_set_header X-Forwarded-Host $host;"),
    ("forwarded", "proxy_pass http://SERVER/; proxy_set_header Forwarded 'host=\"$http_host\";proto=$scheme';"),
];

/// The host in the browser's address bar: the proxy has a port.
const HOST: &str = "printer.local:8080";
/// The origin of the server's own pages. Over plain HTTP, browsers send no `Sec-Fetch-Site`.
const OWN_ORIGIN: (&str, &str) = ("Origin", "http://printer.local:8080");
/// The header that the built-in page sends with its requests.
const REQUESTED_WITH: (&str, &str) = ("X-Requested-With", "hotshoe");

/// nginx on a Unix socket, so that no port is needed. Killed when dropped.
struct Nginx {
    child: Child,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Nginx {
    fn start(server: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let socket = path.join("nginx.sock");
        let temporary_paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};\n", path.display()))
            .concat();
        let locations: String = LOCATIONS
            .iter()
            .map(|(name, lines)| format!("location /{name}/ {{ {} }}\n", lines.replace("SERVER", &server.to_string())))
            .collect();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{}}\nhttp {{\n\
             access_log off;\n{temporary_paths}upstream mjpgstreamer1 {{ server {server}; }}\n\
             server {{\nlisten unix:{1};\n{locations}}}\n}}\n",
            path.display(),
            socket.display()
        );
        let file = path.join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        let child = Command::new("nginx")
            .args(["-e", "stderr", "-p"])
            .arg(path)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Self { child, socket, _folder: folder };
        wait_until("nginx listens", || UnixStream::connect(&nginx.socket).is_ok());
        nginx
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    fn get(&self, path: &str, host: &str) -> Reply {
        send_over(self.connect(), host, "GET", path, &[], b"")
    }

    /// Sets a control with POST below a location.
    fn post(&self, location: &str, host: &str, headers: &[(&str, &str)]) -> u16 {
        send_over(self.connect(), host, "POST", &format!("/{location}/controls"), headers, b"pause=0").status
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All configurations forward the page, snapshots and streams.
pub fn forwards_page_snapshots_and_streams() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let nginx = Nginx::start(server.address);
    for (location, _) in LOCATIONS {
        assert_eq!(nginx.get(&format!("/{location}/"), HOST).status, 200, "{location}");
        assert!(built_in_pictures().contains(&nginx.get(&format!("/{location}/snapshot"), HOST).body), "{location}");
        let mut stream = nginx.connect();
        write!(stream, "GET /{location}/?action=stream HTTP/1.1\r\nHost: {HOST}\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        assert_eq!(read_head(&mut reader).0, 200, "{location}");
        reader.read_exact(&mut [0; 100_000]).unwrap();
    }
}

/// With all configurations, the server's own pages can set controls and pages of other sites cannot.
pub fn only_own_pages_set_controls() {
    let server = Server::start(&["--camera", "emulated", "--allow-control"]);
    let nginx = Nginx::start(server.address);
    for (location, _) in LOCATIONS {
        let post = |headers: &[_]| nginx.post(location, HOST, headers);
        assert_eq!(post(&[]), 200, "{location}: a program");
        assert_eq!(post(&[OWN_ORIGIN, REQUESTED_WITH]), 200, "{location}: the built-in page over HTTP");
        let secure = [("Origin", "https://printer.local"), ("Sec-Fetch-Site", "same-origin")];
        assert_eq!(post(&secure), 200, "{location}: any own page over HTTPS");
        // Without X-Requested-With, the proxy must forward the original host.
        let forwards_host = !["stock", "upstream"].contains(&location);
        assert_eq!(post(&[OWN_ORIGIN]), if forwards_host { 200 } else { 403 }, "{location}: any own page over HTTP");
        let foreign = ("Origin", "http://evil.example");
        assert_eq!(post(&[foreign]), 403, "{location}: a page of another site");
        assert_eq!(post(&[foreign, REQUESTED_WITH]), 403, "{location}: a page of another site with the header");
        assert_eq!(post(&[OWN_ORIGIN, ("Sec-Fetch-Site", "same-site")]), 403, "{location}: a page of the same site");
    }
}

/// The `Host` that a proxy sends is checked. If the proxy replaces the original name, it must check that name itself.
pub fn host_names_are_checked() {
    let server = Server::start(&["--camera", "emulated"]);
    let nginx = Nginx::start(server.address);
    let public = Server::start(&["--camera", "emulated", "--allow-host", "cam.example.com"]);
    let nginx_for_public = Nginx::start(public.address);
    for (location, _) in LOCATIONS {
        let forwards_host = ["host", "http_host"].contains(&location);
        let status = |nginx: &Nginx| nginx.get(&format!("/{location}/state"), "cam.example.com").status;
        assert_eq!(status(&nginx), if forwards_host { 421 } else { 200 }, "{location}");
        assert_eq!(status(&nginx_for_public), 200, "{location}");
    }
}
