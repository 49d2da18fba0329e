//! Marionette, by which Firefox is driven: JSON over TCP, each message after its length in bytes and a colon.
//!
//! A message to the browser is `[0, id, name, parameters]`; the answer is `[1, id, error, result]`.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::PATIENCE;
use crate::http::connect;

/// The largest message: a screenshot is some megabytes.
const MESSAGE_LIMIT: usize = 64 << 20;

/// A session with Firefox.
#[derive(Debug)]
pub(super) struct Marionette(Mutex<TcpStream>);

impl Marionette {
    /// Begin a session with the browser at this address.
    pub(super) fn begin(address: &str, capabilities: &Value) -> Result<Self, String> {
        let mut stream = connect(address, None, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        // It greets.
        receive(&mut stream).map_err(|error| format!("Firefox does not greet: {error}"))?;
        let session = Self(Mutex::new(stream));
        // geckodriver would match capabilities; here are those that it would settle on.
        session.call("WebDriver:NewSession", capabilities.clone())?;
        Ok(session)
    }

    pub(super) fn call(&self, name: &str, parameters: Value) -> Result<Value, String> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let message = json!([0, 1, name, parameters]).to_string();
        let sent = stream.write_all(format!("{}:{message}", message.len()).as_bytes());
        let answer = sent.and_then(|()| receive(&mut stream)).map_err(|error| format!("{name} of Firefox: {error}"))?;
        if let Some(error) = answer.get(2).filter(|error| !error.is_null()) {
            // The message may be empty, as for a certificate that is not trusted.
            let [kind, message] = ["error", "message"].map(|name| error.get(name).and_then(Value::as_str));
            return Err(format!("{}: {}", kind.unwrap_or("error"), message.unwrap_or_default()));
        }
        let result = answer.get(3).cloned().unwrap_or_default();
        // What is no object of its own comes in one.
        Ok(match result.get("value") {
            Some(value) => value.clone(),
            None => result,
        })
    }
}

fn receive(stream: &mut TcpStream) -> io::Result<Value> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut length = 0_usize;
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        match byte {
            [b':'] => break,
            [digit @ b'0'..=b'9'] => length = length * 10 + usize::from(digit - b'0'),
            _ => return Err(bad("no length")),
        }
        if length > MESSAGE_LIMIT {
            return Err(bad("a message that is too long"));
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message)?;
    serde_json::from_slice(&message).map_err(io::Error::from)
}
