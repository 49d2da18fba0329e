//! Marionette, the remote protocol of Firefox: JSON over TCP, each message preceded by its length in bytes and a colon.
//!
//! A request is `[0, id, name, parameters]`, its response `[1, id, error, result]`.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::command::COMMAND_TIMEOUT;
use crate::http::connect;

/// The longest message accepted, in bytes. Screenshots take some megabytes.
const MAX_MESSAGE_LENGTH: usize = 64 << 20;

/// A session with Firefox.
#[derive(Debug)]
pub(super) struct Marionette(Mutex<TcpStream>);

impl Marionette {
    /// Starts a session with the browser at this address.
    pub(super) fn start(address: &str, capabilities: &Value) -> Result<Self, String> {
        let mut stream = connect(address, None, COMMAND_TIMEOUT)?;
        stream.set_read_timeout(Some(COMMAND_TIMEOUT)).map_err(|error| error.to_string())?;
        // The browser sends a greeting first.
        receive(&mut stream).map_err(|error| format!("Firefox sends no greeting: {error}"))?;
        let session = Self(Mutex::new(stream));
        // These are the capabilities that geckodriver would send after matching them.
        session.execute("WebDriver:NewSession", capabilities.clone())?;
        Ok(session)
    }

    pub(super) fn execute(&self, name: &str, parameters: Value) -> Result<Value, String> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let message = json!([0, 1, name, parameters]).to_string();
        let sent = stream.write_all(format!("{}:{message}", message.len()).as_bytes());
        let response = sent.and_then(|()| receive(&mut stream)).map_err(|error| format!("Firefox: {name}: {error}"))?;
        if let Some(error) = response.get(2).filter(|error| !error.is_null()) {
            // The message may be empty, for example for an untrusted certificate.
            let [code, message] = ["error", "message"].map(|name| error.get(name).and_then(Value::as_str));
            return Err(format!("{}: {}", code.unwrap_or("error"), message.unwrap_or_default()));
        }
        let result = response.get(3).cloned().unwrap_or_default();
        // Results that are not objects are wrapped in one.
        Ok(match result.get("value") {
            Some(value) => value.clone(),
            None => result,
        })
    }
}

fn receive(stream: &mut TcpStream) -> io::Result<Value> {
    let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidData, message.to_owned());
    let mut length = 0_usize;
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        match byte {
            [b':'] => break,
            [digit @ b'0'..=b'9'] => length = length * 10 + usize::from(digit - b'0'),
            _ => return Err(invalid("a message without its length")),
        }
        if length > MAX_MESSAGE_LENGTH {
            return Err(invalid("a message that is too long"));
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message)?;
    serde_json::from_slice(&message).map_err(io::Error::from)
}
