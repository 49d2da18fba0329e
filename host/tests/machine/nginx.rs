//! The server behind a real nginx, with the configurations that people have.

use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use hotshoe_test_support::client::{Reply, read_head, send_over};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, built_in_pictures, wait_until};

/// What stands in `location /NAME/ { … }`. `SERVER` is the server's address.
const LOCATIONS: [(&str, &str); 7] = [
    ("stock", "proxy_pass http://SERVER/;"),
    ("host", "proxy_pass http://SERVER/; proxy_set_header Host $host;"),
    ("http_host", "proxy_pass http://SERVER/; proxy_set_header Host $http_host;"),
    // As in the set-ups of Mainsail and Fluidd for Klipper.
    ("upstream", "proxy_pass http://mjpgstreamer1/; postpone_output 0; proxy_buffering off;"),
    (
        "x_forwarded",
        "proxy_pass http://SERVER/; proxy_set_header X-Forwarded-Host $http_host; \
         proxy_set_header X-Forwarded-Proto $scheme;",
    ),
    ("x_forwarded_without_port", "proxy_pass http://SERVER/; proxy_set_header X-Forwarded-Host $host;"),
    ("forwarded", "proxy_pass http://SERVER/; proxy_set_header Forwarded 'host=\"$http_host\";proto=$scheme';"),
];

/// Where the browser is: the proxy has a port, and the page came over plain HTTP, for which browsers send no
/// `Sec-Fetch-Site`.
const HOST: &str = "printer.local:8080";
const OWN: (&str, &str) = ("Origin", "http://printer.local:8080");
/// What the page's script sends.
const OF_SCRIPT: (&str, &str) = ("X-Requested-With", "hotshoe");

/// nginx at a Unix socket, which needs no free port. Killed when dropped.
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
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};\n", path.display()))
            .concat();
        let locations: String = LOCATIONS
            .iter()
            .map(|(name, lines)| format!("location /{name}/ {{ {} }}\n", lines.replace("SERVER", &server.to_string())))
            .collect();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{}}\nhttp {{\n\
             access_log off;\n{temporary}upstream mjpgstreamer1 {{ server {server}; }}\n\
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

    /// POST a control below this location.
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

/// The page, snapshots and streams come through all of them.
pub fn pictures_come_through() {
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

/// A page of the server's own sets controls through all of them, and a page of another site through none.
pub fn own_pages_set_controls() {
    let server = Server::start(&["--camera", "emulated", "--allow-control"]);
    let nginx = Nginx::start(server.address);
    for (location, _) in LOCATIONS {
        let post = |headers: &[_]| nginx.post(location, HOST, headers);
        assert_eq!(post(&[]), 200, "{location}: a program");
        assert_eq!(post(&[OWN, OF_SCRIPT]), 200, "{location}: the page over HTTP");
        let secure = [("Origin", "https://printer.local"), ("Sec-Fetch-Site", "same-origin")];
        assert_eq!(post(&secure), 200, "{location}: any page over HTTPS");
        // A page without that header needs a proxy that tells for whom the request is.
        let tells = !["stock", "upstream"].contains(&location);
        assert_eq!(post(&[OWN]), if tells { 200 } else { 403 }, "{location}: any page over HTTP");
        let evil = ("Origin", "http://evil.example");
        assert_eq!(post(&[evil]), 403, "{location}: a page of another site");
        assert_eq!(post(&[evil, OF_SCRIPT]), 403, "{location}: a page of another site with the header");
        assert_eq!(post(&[OWN, ("Sec-Fetch-Site", "same-site")]), 403, "{location}: a page of the same site");
    }
}

/// What a proxy sends as `Host` is checked. A name that the proxy replaced was the proxy's to check.
pub fn names_are_checked() {
    let server = Server::start(&["--camera", "emulated"]);
    let nginx = Nginx::start(server.address);
    let public = Server::start(&["--camera", "emulated", "--allow-host", "cam.example.com"]);
    let nginx_of_public = Nginx::start(public.address);
    for (location, _) in LOCATIONS {
        let passes_on = ["host", "http_host"].contains(&location);
        let status = |nginx: &Nginx| nginx.get(&format!("/{location}/state"), "cam.example.com").status;
        assert_eq!(status(&nginx), if passes_on { 421 } else { 200 }, "{location}");
        assert_eq!(status(&nginx_of_public), 200, "{location}");
    }
}
