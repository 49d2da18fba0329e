//! Clients that log in with a user name and a password, or with a token, in the ways that they have for that.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use hotshoe::http::auth::{PasswordHash, Token, TokenKey};
use hotshoe_conformance::program::python;
use hotshoe_test_support::server::Server;

use super::harness::run_successfully;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// OctoPrint's server passes the URL of the snapshot to `requests`, which takes the login out of it.
const OCTOPRINT: &str = r#"
import sys, requests

for url in sys.argv[1:]:
    response = requests.get(url, timeout=60)
    response.raise_for_status()
    assert response.headers["Content-Type"] == "image/jpeg" and response.content[-2:] == b"\xff\xd9", url
url = sys.argv[1].replace("a%20password", "wrong")
assert requests.get(url, timeout=60).status_code == 401
"#;

/// Home Assistant tries Basic and then Digest when a camera is set up, and later uses what worked for the stream.
const HOME_ASSISTANT: &str = r#"
import asyncio, sys, aiohttp, requests
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

address, name, password = sys.argv[1:]

def set_up(password):
    for authentication in (HTTPBasicAuth, HTTPDigestAuth):
        response = requests.get(address + "/snapshot", auth=authentication(name, password), timeout=60)
        if response.status_code != 401:
            response.raise_for_status()
            return authentication
    return None

async def stream():
    async with aiohttp.ClientSession() as session:
        response = await session.get(address + "/stream", auth=aiohttp.BasicAuth(name, password))
        response.raise_for_status()
        assert b"Content-Type: image/jpeg" in await response.content.read(1000)
        response.close()

assert set_up(password) is HTTPBasicAuth
assert set_up("wrong") is None
asyncio.run(stream())
"#;

const OPENCV: &str = r#"
import sys, cv2

for url in sys.argv[1:]:
    capture = cv2.VideoCapture(url)
    assert capture.isOpened(), url
    for _ in range(3):
        assert capture.read()[0], url
    capture.release()
"#;

/// A server with a user, and a token for its camera.
pub struct Login {
    server: Server,
    token: String,
    _folder: tempfile::TempDir,
}

/// The user, and the password as it is and in URLs.
const USER: &str = "ann";
const PASSWORD: &str = "a password";
const PASSWORD_IN_URL: &str = "a%20password";

impl Login {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            file
        };
        let secret = write("secret", SECRET);
        let hash = PasswordHash::new(PASSWORD.as_bytes()).unwrap();
        let users =
            format!("[users.{USER}]\npassword = \"{hash}\"\n[tokens]\nsecret_file = \"{}\"\n", secret.display());
        let users = write("users.toml", &users);
        let server = Server::start(&["--camera", "front=emulated,fps=20", "--users", users.to_str().unwrap()]);
        let token = Token { id: "0a".to_owned(), expires: u64::MAX, cameras: vec!["front".to_owned()] };
        Self { server, token: TokenKey::new(SECRET).unwrap().sign(&token), _folder: folder }
    }

    /// The URL of the page with the login in front of the host, and without it.
    pub fn page_urls(&self) -> [String; 2] {
        let address = self.server.address;
        [format!("http://{USER}:{PASSWORD_IN_URL}@{address}/"), format!("http://{address}/")]
    }

    /// The URL of a path with the login in front of the host, and with the token as a parameter.
    fn urls(&self, path: &str) -> [String; 2] {
        let (address, token) = (self.server.address, &self.token);
        [
            format!("http://{USER}:{PASSWORD_IN_URL}@{address}{path}/front"),
            format!("http://{address}{path}/front?token={token}"),
        ]
    }
}

pub fn octoprint() {
    let login = Login::start();
    run_successfully(Command::new(python()).args(["-c", OCTOPRINT]).args(login.urls("/snapshot")));
}

pub fn home_assistant() {
    let login = Login::start();
    let address = format!("http://{}", login.server.address);
    run_successfully(Command::new(python()).args(["-c", HOME_ASSISTANT, &address, USER, PASSWORD]));
}

pub fn opencv() {
    let login = Login::start();
    run_successfully(Command::new(python()).args(["-c", OPENCV]).args(login.urls("/stream")));
}

pub fn ffmpeg() {
    let login = Login::start();
    for url in login.urls("/stream") {
        let output = ["-frames:v", "3", "-f", "null", "-"];
        run_successfully(Command::new("ffmpeg").args(["-loglevel", "error", "-i", &url]).args(output));
    }
}
