//! A real browser, driven over WebDriver (W3C), which is JSON over HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::http::connect;
use crate::program::kill_group;

/// The key under which WebDriver gives elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long the browser may take to do one thing.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a browser is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Width and height of the window.
    pub size: (u32, u32),
    /// More of Chromium's arguments, such as `--force-prefers-reduced-motion`.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { size: (1000, 700), arguments: Vec::new() }
    }
}

/// A headless Chromium under its driver. Both end when dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    address: String,
    session: String,
    _profile: tempfile::TempDir,
}

/// An element of the page, as WebDriver names it. Another page makes it stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element(String);

/// A tab in front of another.
#[derive(Clone, Debug)]
pub struct Tab {
    behind: String,
}

impl Browser {
    /// Starts a browser, which needs `chromedriver` and Chromium.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn start(options: &Options) -> Result<Self, String> {
        let profile = tempfile::tempdir().map_err(|error| format!("no folder for a browser's profile: {error}"))?;
        let mut driver = Command::new("chromedriver");
        driver.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A group of its own, so that the browser ends with the driver.
        std::os::unix::process::CommandExt::process_group(&mut driver, 0);
        let mut driver = driver.spawn().map_err(|error| format!("cannot start chromedriver: {error}"))?;
        let output = driver.stdout.take();
        let mut browser = Self { driver, address: String::new(), session: String::new(), _profile: profile };
        let (sender, receiver) = mpsc::channel();
        spawn(move || {
            // Until its end, for a driver that cannot write stops.
            for line in output.map(BufReader::new).into_iter().flat_map(BufReader::lines).map_while(Result::ok) {
                if let Some((_, port)) = line.split_once("successfully on port ") {
                    let _ = sender.send(port.trim_end_matches('.').to_owned());
                }
            }
        });
        let port = receiver.recv_timeout(PATIENCE).map_err(|_| "chromedriver does not say its port")?;
        browser.address = format!("127.0.0.1:{port}");
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        .map(String::from)
        .into();
        arguments.push(format!("--window-size={},{}", options.size.0, options.size.1));
        arguments.push(format!("--user-data-dir={}", browser._profile.path().display()));
        arguments.extend(options.arguments.iter().cloned());
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": arguments } } } });
        let answer = browser.call("POST", "/session", &wanted)?;
        browser.session = text(answer.get("sessionId"), "a session")?;
        Ok(browser)
    }

    /// Opens a page and waits until it is loaded.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn open(&self, url: &str) -> Result<(), String> {
        self.post("url", &json!({ "url": url })).map(drop)
    }

    /// Runs the body of a JavaScript function in the page, and gives what it returns.
    ///
    /// # Errors
    ///
    /// If it throws.
    pub fn run(&self, script: &str) -> Result<Value, String> {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The same for a script that calls its last argument, `arguments[0]`, when it is done.
    ///
    /// # Errors
    ///
    /// If it throws, or is not done in time.
    pub fn run_async(&self, script: &str) -> Result<Value, String> {
        self.post("timeouts", &json!({ "script": 15_000 }))?;
        self.post("execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns what is expected.
    ///
    /// # Errors
    ///
    /// If it does not in time, with what it returned last.
    pub fn wait_for(&self, script: &str, expected: &Value, within: Duration) -> Result<(), String> {
        let until = Instant::now() + within;
        loop {
            let found = self.run(script)?;
            if found == *expected {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("after {within:.0?} {script:?} is {found}, not {expected}"));
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// All elements that a CSS selector matches.
    ///
    /// # Errors
    ///
    /// If the selector is wrong.
    pub fn find_all(&self, selector: &str) -> Result<Vec<Element>, String> {
        let found = self.post("elements", &json!({ "using": "css selector", "value": selector }))?;
        let found = found.as_array().cloned().unwrap_or_default();
        found.iter().map(|element| text(element.get(ELEMENT), "an element").map(Element)).collect()
    }

    /// The only element that a CSS selector matches.
    ///
    /// # Errors
    ///
    /// If there is none, or another.
    pub fn find(&self, selector: &str) -> Result<Element, String> {
        let found = self.find_all(selector)?;
        match found.as_slice() {
            [element] => Ok(element.clone()),
            _ => Err(format!("the page has {} of {selector:?}, not one", found.len())),
        }
    }

    /// Clicks into an element's middle.
    ///
    /// # Errors
    ///
    /// If something is in the way.
    pub fn click(&self, element: &Element) -> Result<(), String> {
        self.post(&format!("element/{}/click", element.0), &json!({})).map(drop)
    }

    /// Types into an element.
    ///
    /// # Errors
    ///
    /// If it takes no keys.
    pub fn send_keys(&self, element: &Element, keys: &str) -> Result<(), String> {
        self.post(&format!("element/{}/value", element.0), &json!({ "text": keys })).map(drop)
    }

    /// A picture of one element, as a PNG file.
    ///
    /// # Errors
    ///
    /// If it has none.
    pub fn screenshot(&self, element: &Element) -> Result<Vec<u8>, String> {
        self.png(&format!("element/{}/screenshot", element.0))
    }

    /// A picture of the window, as a PNG file.
    ///
    /// # Errors
    ///
    /// If it has none.
    pub fn screenshot_page(&self) -> Result<Vec<u8>, String> {
        self.png("screenshot")
    }

    /// Waits until an element looks otherwise than now.
    ///
    /// # Errors
    ///
    /// If it does not in time.
    pub fn moves(&self, element: &Element, within: Duration) -> Result<(), String> {
        let until = Instant::now() + within;
        let before = self.screenshot(element)?;
        while self.screenshot(element)? == before {
            if Instant::now() > until {
                return Err(format!("the picture stands still for {within:.0?}"));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Opens an empty tab in front of the present one, which is hidden by that. What is done next is done in the new one.
    ///
    /// # Errors
    ///
    /// If the browser has no more.
    pub fn open_tab(&self) -> Result<Tab, String> {
        let behind =
            text(Some(&self.call("GET", &format!("/session/{}/window", self.session), &Value::Null)?), "a tab")?;
        let opened = self.post("window/new", &json!({ "type": "tab" }))?;
        self.post("window", &json!({ "handle": text(opened.get("handle"), "a tab")? }))?;
        Ok(Tab { behind })
    }

    /// Closes the tab in front, and goes back to the one behind it.
    ///
    /// # Errors
    ///
    /// If that is gone.
    pub fn close_tab(&self, tab: &Tab) -> Result<(), String> {
        self.call("DELETE", &format!("/session/{}/window", self.session), &Value::Null)?;
        self.post("window", &json!({ "handle": tab.behind })).map(drop)
    }

    /// A command of the Chrome DevTools Protocol, such as `Emulation.setEmulatedMedia`.
    ///
    /// # Errors
    ///
    /// If the browser does not do it.
    pub fn cdp(&self, command: &str, parameters: &Value) -> Result<Value, String> {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Makes pages see that a user prefers dark colours, or light ones.
    ///
    /// # Errors
    ///
    /// If the browser cannot.
    pub fn prefer_dark(&self, dark: bool) -> Result<(), String> {
        let value = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.cdp("Emulation.setEmulatedMedia", &features).map(drop)
    }

    /// Makes pages see a desktop's window of this size.
    ///
    /// # Errors
    ///
    /// If the browser cannot.
    pub fn be_screen(&self, width: u32, height: u32) -> Result<(), String> {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", &screen).map(drop)
    }

    /// Makes pages see a phone's screen, with so many device pixels to a pixel.
    ///
    /// # Errors
    ///
    /// If the browser cannot.
    pub fn be_phone(&self, width: u32, height: u32, scale: f64) -> Result<(), String> {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": true });
        self.cdp("Emulation.setDeviceMetricsOverride", &screen)?;
        self.cdp("Emulation.setTouchEmulationEnabled", &json!({ "enabled": true })).map(drop)
    }

    fn png(&self, command: &str) -> Result<Vec<u8>, String> {
        let png =
            text(Some(&self.call("GET", &format!("/session/{}/{command}", self.session), &Value::Null)?), "a PNG")?;
        base64::engine::general_purpose::STANDARD.decode(png).map_err(|error| format!("a screenshot: {error}"))
    }

    fn post(&self, command: &str, body: &Value) -> Result<Value, String> {
        self.call("POST", &format!("/session/{}/{command}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let sent = if body.is_null() { String::new() } else { body.to_string() };
        let broken = |error: std::io::Error| format!("{method} {path} of chromedriver: {error}");
        let mut stream = connect(&self.address, None, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            sent.len()
        );
        stream.write_all(format!("{head}{sent}").as_bytes()).map_err(broken)?;
        let mut answer = Vec::new();
        // It keeps the connection open whatever it is asked, so its length says where the answer ends.
        let (head, body) = loop {
            let mut buffer = [0; 16 * 1024];
            let length = stream.read(&mut buffer).map_err(broken)?;
            answer.extend(buffer.iter().take(length));
            if let Some((head, body)) = whole(&answer) {
                break (head, body);
            }
            if length == 0 {
                return Err(format!("chromedriver answers {} bytes of no whole answer", answer.len()));
            }
        };
        let body: Value = serde_json::from_slice(body).map_err(|error| format!("chromedriver's answer: {error}"))?;
        let mut value = body.get("value").cloned().unwrap_or_default();
        if head.starts_with("HTTP/1.1 200") {
            return Ok(value);
        }
        // The rest is the driver's stack.
        Err(text(value.get_mut("message").map(|message| &*message), "a message")?.lines().next().unwrap_or("").into())
    }
}

/// Head and body of an answer, if all of it is there.
fn whole(answer: &[u8]) -> Option<(String, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    Some((head, body.get(..length)?))
}

/// A string of an answer.
fn text(value: Option<&Value>, what: &str) -> Result<String, String> {
    value.and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("chromedriver gives {value:?}, not {what}"))
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // It is killed anyway.
            let _ = self.call("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        kill_group(&mut self.driver);
    }
}
