//! WebDriver (W3C): JSON over HTTP, spoken by `chromedriver` and `WebKitWebDriver`.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use super::PATIENCE;
use super::session::Command;
use crate::http::connect;

/// A session with a driver.
#[derive(Debug)]
pub(super) struct WebDriver {
    address: String,
    session: String,
}

impl WebDriver {
    /// Begin a session with the driver at this address, in a browser with these capabilities.
    pub(super) fn begin(address: String, capabilities: &Value) -> Result<Self, String> {
        let mut session = Self { address, session: String::new() };
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let answer = session.request("POST", "/session", &wanted)?;
        session.session = super::text(answer.get("sessionId"), "a session")?;
        Ok(session)
    }

    pub(super) fn call(&self, command: Command, element: Option<&str>, parameters: &Value) -> Result<Value, String> {
        let (method, path) = command.endpoint(element);
        self.request_of_session(method, &path, parameters)
    }

    /// A command of the Chrome DevTools Protocol.
    pub(super) fn cdp(&self, command: &str, parameters: &Value) -> Result<Value, String> {
        self.request_of_session("POST", "goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn request_of_session(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.request(method, &format!("/session/{}/{path}", self.session), body)
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let sent = if method == "POST" { body.to_string() } else { String::new() };
        let broken = |error: std::io::Error| format!("{method} {path} of the browser's driver: {error}");
        let mut stream = connect(&self.address, None, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            sent.len()
        );
        stream.write_all(format!("{head}{sent}").as_bytes()).map_err(broken)?;
        let mut answer = Vec::new();
        // Drivers keep the connection open whatever they are asked, so the length says where the answer ends.
        let (head, body) = loop {
            let mut buffer = [0; 16 * 1024];
            let length = stream.read(&mut buffer).map_err(broken)?;
            answer.extend(buffer.iter().take(length));
            if let Some((head, body)) = whole(&answer) {
                break (head, body);
            }
            if length == 0 {
                return Err(format!("the browser's driver answers {} bytes of no whole answer", answer.len()));
            }
        };
        let body: Value = serde_json::from_slice(body).map_err(|error| format!("the driver's answer: {error}"))?;
        let mut value = body.get("value").cloned().unwrap_or_default();
        if head.starts_with("HTTP/1.1 200") {
            return Ok(value);
        }
        // The rest is the driver's stack.
        let message = super::text(value.get_mut("message").map(|message| &*message), "a message")?;
        Err(message.lines().next().unwrap_or("").into())
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        // The browser is killed anyway.
        let _ = self.request_of_session("DELETE", "", &Value::Null);
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
