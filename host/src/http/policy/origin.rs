//! Origins of web pages (RFC 6454).

use url::{Host, Url};

/// An origin: where a page comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    scheme: String,
    host: Host,
    /// `None` for the default port of the scheme.
    port: Option<u16>,
}

impl Origin {
    /// Parse what a browser sends as `Origin`, or what a user types. `None` for anything that is not exactly
    /// `SCHEME://HOST[:PORT]`, such as `null`.
    pub fn parse(value: &str) -> Option<Self> {
        // The URL parser removes or repairs these.
        if value.contains(|char: char| char.is_whitespace() || char.is_control() || char == '\\') {
            return None;
        }
        let (_, authority) = value.split_once("://")?;
        if authority.contains(['/', '?', '#', '@', '*']) {
            return None;
        }
        let url = Url::parse(value).ok()?;
        // Of a scheme that the parser does not know, it does not look at the host.
        let host = Host::parse(url.host_str()?).ok()?;
        Some(Self { scheme: url.scheme().to_owned(), host, port: url.port() })
    }

    /// The scheme, in lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, or `None` for the scheme's default.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl std::fmt::Display for Origin {
    /// As browsers write it (HTML Standard, serialization of an origin).
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}
