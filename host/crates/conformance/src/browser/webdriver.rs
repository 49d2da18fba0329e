//! WebDriver (W3C), the protocol of `chromedriver` and `WebKitWebDriver`: JSON over HTTP.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use super::command::{COMMAND_TIMEOUT, Command, string};
use crate::http::connect;

/// A session with a driver.
#[derive(Debug)]
pub(super) struct WebDriver {
    address: String,
    session_id: String,
}

impl WebDriver {
    /// Starts a session with the driver at this address, in a browser with these capabilities.
    pub(super) fn start(address: String, capabilities: &Value) -> Result<Self, String> {
        let mut session = Self { address, session_id: String::new() };
        let parameters = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let value = session.request("POST", "/session", &parameters)?;
        session.session_id = string(value.get("sessionId"), "a session id")?;
        Ok(session)
    }

    pub(super) fn execute(&self, command: Command, element: Option<&str>, parameters: &Value) -> Result<Value, String> {
        let (method, path) = command.endpoint(element);
        self.session_request(method, &path, parameters)
    }

    /// Executes a command of the Chrome DevTools Protocol.
    pub(super) fn execute_cdp(&self, command: &str, parameters: &Value) -> Result<Value, String> {
        self.session_request("POST", "goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn session_request(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.request(method, &format!("/session/{}/{path}", self.session_id), body)
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let failed = |error: std::io::Error| format!("the browser's driver: {method} {path}: {error}");
        let mut stream = connect(&self.address, None, COMMAND_TIMEOUT)?;
        stream.set_read_timeout(Some(COMMAND_TIMEOUT)).map_err(failed)?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).map_err(failed)?;
        let mut response = Vec::new();
        // Drivers ignore `Connection: close`, so the response ends after its Content-Length.
        let (head, body) = loop {
            let mut buffer = [0; 16 * 1024];
            let length = stream.read(&mut buffer).map_err(failed)?;
            response.extend(buffer.iter().take(length));
            if let Some((head, body)) = split_response(&response) {
                break (head, body);
            }
            if length == 0 {
                return Err(format!("the browser's driver closed the connection after {} bytes", response.len()));
            }
        };
        let body: Value = serde_json::from_slice(body).map_err(|error| format!("the browser's driver: {error}"))?;
        let value = body.get("value").cloned().unwrap_or_default();
        if head.starts_with("HTTP/1.1 200") {
            return Ok(value);
        }
        // The other lines are a stack trace of the driver.
        let message = string(value.get("message"), "an error message")?;
        Err(message.lines().next().unwrap_or("").into())
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        // If this fails, the browser is killed.
        let _ = self.session_request("DELETE", "", &Value::Null);
    }
}

/// Splits a response into its head and body. Returns `None` if the response is incomplete.
fn split_response(response: &[u8]) -> Option<(String, &[u8])> {
    let end = response.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = response.split_at(end + 4);
    let head = String::from_utf8_lossy(head).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    Some((head, body.get(..length)?))
}
