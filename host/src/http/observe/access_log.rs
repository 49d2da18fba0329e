//! The access log: a line for each request, when its response has ended.

use std::io;
use std::str::FromStr;

use http::request::Parts;

use super::entry::Entry;
use crate::http::proxies::{TrustedProxies, client_address};
use crate::logging::{LineOutput, utc_now};

/// The value of `--access-log`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AccessLogFormat {
    /// There is no access log.
    #[default]
    Off,
    /// The combined log format of Apache and nginx.
    Text,
    /// A JSON object for each line.
    Json,
}

impl FromStr for AccessLogFormat {
    type Err = &'static str;

    fn from_str(value: &str) -> Result<Self, &'static str> {
        match value {
            "off" => Ok(Self::Off),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("use off, text or json"),
        }
    }
}

/// Writes a line for each request to standard output.
pub struct AccessLog {
    format: AccessLogFormat,
    output: LineOutput,
    proxies: TrustedProxies,
}

impl AccessLog {
    /// Opens the access log, unless it is off. `proxies` forward the addresses of their clients.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses a thread, or a descriptor for standard output.
    pub fn open(format: AccessLogFormat, proxies: TrustedProxies) -> io::Result<Option<Self>> {
        if format == AccessLogFormat::Off {
            return Ok(None);
        }
        Ok(Some(Self { format, output: LineOutput::stdout("access log")?, proxies }))
    }

    /// The entry of a request that has just arrived.
    pub(super) fn entry(&self, head: &Parts) -> Entry {
        Entry::new(head, utc_now(), client_address(head, &self.proxies))
    }

    /// Writes a line for a response that has ended. Never blocks.
    pub(super) fn write(&self, entry: &Entry) {
        self.output.write(match self.format {
            AccessLogFormat::Json => entry.json(),
            AccessLogFormat::Text | AccessLogFormat::Off => entry.combined(),
        });
    }
}
