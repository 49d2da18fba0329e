//! Web origins (RFC 6454): of pages, and of servers that guests send requests to.

use std::fmt;

use url::{Host, Url};

/// A web origin: scheme, host and port. Never the opaque origin, `null`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    scheme: String,
    host: Host,
    /// `None` for the default port of the scheme.
    port: Option<u16>,
    /// The default port of the scheme, if it has one.
    default_port: Option<u16>,
}

impl Origin {
    /// Parses an `Origin` header or a value of `--allow-origin`. Returns `None` unless it is exactly
    /// `SCHEME://HOST[:PORT]`.
    pub fn parse(value: &str) -> Option<Self> {
        // The URL parser would remove or replace these.
        if value.contains(|char: char| char.is_whitespace() || char.is_control() || char == '\\') {
            return None;
        }
        let (_, authority) = value.split_once("://")?;
        // Browsers send no `%`, and decoding it could yield the other characters.
        if authority.contains(['/', '?', '#', '@', '*', '%']) {
            return None;
        }
        let url = Url::parse(value).ok()?;
        // The URL parser does not normalize the host of an unknown scheme, such as `capacitor`.
        let host = Host::parse(url.host_str()?).ok()?;
        let (port, default_port) = (url.port(), url.port_or_known_default());
        Some(Self { scheme: url.scheme().to_owned(), host, port, default_port })
    }

    /// Returns the scheme, in lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the port, or `None` for the default port of the scheme.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the port, or the default port of the scheme. Returns `None` if the scheme has none.
    pub fn port_or_default(&self) -> Option<u16> {
        self.port.or(self.default_port)
    }
}

impl fmt::Display for Origin {
    /// Serializes the origin as browsers do (HTML Standard, serialization of an origin).
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_serialized_as_browsers_send_them() {
        for (input, sent) in [
            ("http://printer.local", "http://printer.local"),
            ("HTTPS://Cam.Example:8443", "https://cam.example:8443"),
            ("http://printer.local:80", "http://printer.local"),
            ("http://printer.local:", "http://printer.local"),
            ("https://cam.example:443", "https://cam.example"),
            ("http://cam.example:443", "http://cam.example:443"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://[0:0::1]", "http://[::1]"),
            ("http://bücher.de", "http://xn--bcher-kva.de"),
            ("capacitor://Localhost", "capacitor://localhost"),
        ] {
            assert_eq!(Origin::parse(input).map(|origin| origin.to_string()).as_deref(), Some(sent), "{input}");
        }
    }

    #[test]
    fn anything_but_an_origin_is_rejected() {
        for invalid in [
            "",
            "null",
            "printer.local",
            "http:printer.local",
            "http://",
            "http:///",
            "http://a/",
            "http://a/b",
            "://a",
            "1http://a",
            "http://*.a",
            "http://a%2eb",
            "app://%2aa.b",
            "http://a\nb",
            "http://a\tb",
            "http://a b",
            "http:\\\\a",
            "http://a:99999",
            "http://a:80x",
            "http://u@h",
            "http://[::1",
            "http://a?b",
            "http://a#b",
            "http://a<b",
        ] {
            assert_eq!(Origin::parse(invalid), None, "{invalid:?}");
        }
    }
}
