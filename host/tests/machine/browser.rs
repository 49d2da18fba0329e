//! A real browser, driven over WebDriver (W3C), which is JSON over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use serde_json::{Value, json};

use hotshoe_test_support::client::{connect, read_head};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{guests, wait_until};

/// The page shows the pictures of both cameras, and they move: an image looks otherwise some time later.
pub fn shows_moving_pictures() {
    let server = Server::start(&["--camera", "front=emulated,fps=4", "--camera", "yard=emulated,fps=4"]);
    let browser = Browser::start();
    browser.open(&format!("http://{}/", server.address));
    let images = browser.find_all("img");
    assert_eq!(images.len(), 2);
    for image in &images {
        browser.moves(image);
    }
    let sizes = browser.run("return [...document.images].map(i => [i.naturalWidth, i.naturalHeight])");
    assert_eq!(sizes, json!([[640, 480], [640, 480]]), "what moves are the camera's pictures");
}

/// The page loads itself again when another guest serves, and shows what that has to show.
pub fn reloads_itself() {
    let server = Server::start(&["--camera", "emulated,fps=4", "--drain", "0.2"]);
    let browser = Browser::start();
    browser.open(&format!("http://{}/", server.address));
    let shown = || browser.run("return document.documentElement.dataset.guest");
    let built_in = guests::built_in();
    for number in 1..4 {
        server.put_guest(&guests::variant(&built_in, number));
        let serving = server.generations()["current"]["sha256"].clone();
        wait_until("the new guest's page is shown", || shown() == serving);
        browser.shows_moving_picture();
    }
}

/// The page comes back to its streams when the server was away, though nothing tells it that they ended.
pub fn comes_back() {
    let camera = ["--camera", "emulated,fps=4"];
    let server = Server::start(&camera);
    let address = server.address;
    let browser = Browser::start();
    browser.open(&format!("http://{address}/"));
    browser.shows_moving_picture();
    browser.run("document.sameAsBefore = true");
    drop(server);
    let server = Server::start(&[&camera[..], &["--listen", &address.to_string()]].concat());
    wait_until("it watches again", || server.capture_threads() == 1);
    browser.shows_moving_picture();
    assert_eq!(browser.run("return document.sameAsBefore"), true, "the same guest needs no other page");
}

/// More cameras than a browser has connections: all of them are seen, and the page still hears of a swap.
pub fn shows_many_cameras() {
    let cameras: Vec<_> =
        (0..10).flat_map(|number| ["--camera".to_owned(), format!("c{number}=emulated,fps=4")]).collect();
    let server = Server::start(&cameras);
    let browser = Browser::start();
    browser.open(&format!("http://{}/", server.address));
    let seen = "return [...document.images].filter(image => image.naturalWidth == 640).length";
    wait_until("all pictures are seen", || browser.run(seen) == 10);
    server.put_guest(&guests::variant(&guests::built_in(), 1));
    let serving = server.generations()["current"]["sha256"].clone();
    wait_until("the new guest's page is shown", || {
        browser.run("return document.documentElement.dataset.guest") == serving
    });
    wait_until("all pictures are seen", || browser.run(seen) == 10);
}

/// A headless Chromium under its driver. Both end when dropped.
struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: tempfile::TempDir,
}

/// The key under which WebDriver gives elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    fn start() -> Self {
        let mut driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| line.unwrap().split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok())
            .unwrap_or_else(|| panic!("chromedriver does not say its port"));
        let profile = tempfile::tempdir().unwrap();
        let mut browser =
            Self { driver, address: ([127, 0, 0, 1], port).into(), session: String::new(), _profile: profile };
        let profile = format!("--user-data-dir={}", browser._profile.path().display());
        let options = json!({ "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--window-size=1000,700", profile,
        ] });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        browser.session = browser.call("POST", "/session", &wanted)["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    fn find_all(&self, selector: &str) -> Vec<String> {
        let found = self.post("elements", &json!({ "using": "css selector", "value": selector }));
        found.as_array().unwrap().iter().map(|element| element[ELEMENT].as_str().unwrap().to_owned()).collect()
    }

    /// The page must show one picture, and it must move.
    #[track_caller]
    fn shows_moving_picture(&self) {
        let images = self.find_all("img");
        assert_eq!(images.len(), 1);
        self.moves(&images[0]);
        assert_eq!(self.run("return document.images[0].naturalWidth"), 640, "what moves is the camera's picture");
    }

    /// An image must look otherwise some time later.
    #[track_caller]
    fn moves(&self, image: &str) {
        let before = self.screenshot(image);
        wait_until("the picture moves", || self.screenshot(image) != before);
    }

    /// A picture of one element, as a PNG file.
    fn screenshot(&self, element: &str) -> Vec<u8> {
        let path = format!("/session/{}/element/{element}/screenshot", self.session);
        let png = self.call("GET", &path, &Value::Null);
        base64::engine::general_purpose::STANDARD.decode(png.as_str().unwrap()).unwrap()
    }

    fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}/{command}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = connect(self.address);
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let (status, headers) = read_head(&mut reader);
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length")).unwrap();
        let mut answer = vec![0; length.1.parse().unwrap()];
        reader.read_exact(&mut answer).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
