//! Parses an address to listen at: `127.0.0.1:5000`, `[::1]:5000`, `localhost:5000`, `:5000`, `5000`, `unix:PATH`,
//! `systemd` or `systemd:NAME`; with `tls:` in front, connections are encrypted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// An address to listen at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ListenAddress {
    /// A TCP address and port.
    Tcp(SocketAddr),
    /// A TCP port of 127.0.0.1 and ::1, or of the one that this machine has.
    Localhost(u16),
    /// A TCP port of all IPv6 and IPv4 addresses.
    AllAddresses(u16),
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// Sockets that systemd has opened: those with this name (systemd.socket(5), `FileDescriptorName=`), or those that
    /// no other address names.
    Systemd(Option<String>),
    /// Any other address, with TLS.
    Tls(Box<Self>),
}

/// The text is not an address to listen at.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "use an address and a port, such as 127.0.0.1:5000, [::1]:5000 or localhost:5000; :5000 for all addresses; unix:PATH; \
     or systemd:NAME; with tls: in front for HTTPS"
)]
pub struct ParseListenAddressError;

impl ListenAddress {
    /// Whether only this machine can connect to the address, as far as the address tells: systemd decides where its
    /// sockets listen.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tls(address) => address.is_local(),
            Self::Systemd(_) => false,
            Self::Tcp(address) => is_loopback(address.ip()),
            Self::Localhost(_) | Self::Unix(_) => true,
            Self::AllAddresses(_) => false,
        }
    }
}

/// Whether an address is a loopback address, including IPv4-mapped ones such as ::ffff:127.0.0.1.
fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

impl FromStr for ListenAddress {
    type Err = ParseListenAddressError;

    fn from_str(input: &str) -> Result<Self, ParseListenAddressError> {
        if let Some(address) = input.strip_prefix("tls:") {
            return match address.parse()? {
                Self::Tls(_) => Err(ParseListenAddressError),
                address => Ok(Self::Tls(Box::new(address))),
            };
        }
        if input == "systemd" {
            return Ok(Self::Systemd(None));
        }
        if let Some(name) = input.strip_prefix("systemd:") {
            // systemd allows no others (sd_is_fdname_valid).
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            return if is_name { Ok(Self::Systemd(Some(name.to_owned()))) } else { Err(ParseListenAddressError) };
        }
        if let Some(path) = input.strip_prefix("unix:") {
            return if path.is_empty() { Err(ParseListenAddressError) } else { Ok(Self::Unix(path.into())) };
        }
        let port = |digits: &str| {
            // `u16` would accept a sign.
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_number).ok_or(ParseListenAddressError)
        };
        match input.rsplit_once(':') {
            None => port(input).map(Self::Localhost),
            Some(("", digits)) => port(digits).map(Self::AllAddresses),
            Some((host, digits)) if host.eq_ignore_ascii_case("localhost") => port(digits).map(Self::Localhost),
            Some(_) => input.parse().map(Self::Tcp).map_err(|_| ParseListenAddressError),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "{address}"),
            Self::Localhost(port) => write!(formatter, "localhost:{port}"),
            Self::AllAddresses(port) => write!(formatter, ":{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Systemd(None) => formatter.write_str("systemd"),
            Self::Systemd(Some(name)) => write!(formatter, "systemd:{name}"),
            Self::Tls(address) => write!(formatter, "tls:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse_and_print() {
        for (input, address) in [
            ("127.0.0.1:0", ListenAddress::Tcp(([127, 0, 0, 1], 0).into())),
            ("0.0.0.0:5000", ListenAddress::Tcp(([0, 0, 0, 0], 5000).into())),
            ("[::]:5000", ListenAddress::Tcp("[::]:5000".parse().unwrap())),
            ("[fe80::1%2]:5000", ListenAddress::Tcp("[fe80::1%2]:5000".parse().unwrap())),
            ("localhost:5000", ListenAddress::Localhost(5000)),
            ("LOCALHOST:0", ListenAddress::Localhost(0)),
            ("5000", ListenAddress::Localhost(5000)),
            (":5000", ListenAddress::AllAddresses(5000)),
            ("unix:/run/hotshoe.sock", ListenAddress::Unix("/run/hotshoe.sock".into())),
            ("unix:a:1", ListenAddress::Unix("a:1".into())),
            ("systemd", ListenAddress::Systemd(None)),
            ("systemd:viewers.socket", ListenAddress::Systemd(Some("viewers.socket".to_owned()))),
            ("tls::5443", ListenAddress::Tls(Box::new(ListenAddress::AllAddresses(5443)))),
            ("tls:[::1]:5443", ListenAddress::Tls(Box::new(ListenAddress::Tcp("[::1]:5443".parse().unwrap())))),
            ("tls:unix:a", ListenAddress::Tls(Box::new(ListenAddress::Unix("a".into())))),
            ("tls:systemd:web", ListenAddress::Tls(Box::new(ListenAddress::Systemd(Some("web".to_owned()))))),
        ] {
            assert_eq!(input.parse(), Ok(address.clone()), "{input}");
            assert_eq!(address.to_string().parse(), Ok(address), "{input}");
        }
    }

    #[test]
    fn invalid_addresses_are_rejected() {
        for invalid in [
            "",
            ":",
            "unix:",
            "here",
            "here:5000",
            "localhost",
            "localhost:",
            "127.0.0.1",
            "::1:5000",
            "[::1]",
            ":+80",
            "65536",
            ":65536",
            "-1",
            "/run/hotshoe",
            "http://127.0.0.1:5000",
            "off",
            "tls:",
            "tls:tls::1",
            "systemd:",
            "systemd:a b",
            "systemd:a:b",
        ] {
            assert_eq!(invalid.parse::<ListenAddress>(), Err(ParseListenAddressError), "{invalid}");
        }
    }

    #[test]
    fn loopback_addresses_and_unix_sockets_are_local() {
        let is_local = |input: &str| input.parse::<ListenAddress>().unwrap().is_local();
        for local in
            ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1", "1", "unix:a", "tls:1"]
        {
            assert!(is_local(local), "{local}");
        }
        for remote in [":1", "0.0.0.0:1", "[::]:1", "192.168.1.7:1", "[fe80::1]:1", "tls::1", "systemd:a"] {
            assert!(!is_local(remote), "{remote}");
        }
    }
}
