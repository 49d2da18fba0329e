//! The host in a request's authority.

use http::uri::Authority;
use url::Host;

/// The longest host, in bytes. A domain name with its final dot is shorter (RFC 1035, section 2.3.4).
const MAX_HOST_LENGTH: usize = 255;

/// Returns the host of an authority as browsers parse it (URL Standard, host parsing): in lower case, with every
/// notation of an IPv4 address recognized. Returns `None` if the authority has user information, or an invalid host or
/// port.
pub fn host_of(authority: &Authority) -> Option<Host> {
    let host = authority.host();
    if host.len() > MAX_HOST_LENGTH {
        return None;
    }
    let port = authority.as_str().strip_prefix(host)?;
    let is_port = |port: &str| port.is_empty() || (port.parse::<u16>().is_ok() && !port.starts_with('+'));
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return None;
    }
    // Some clients send the zone of a link-local address (RFC 6874), which only has a meaning on their machine.
    match host.split_once('%').filter(|_| host.starts_with('[')) {
        Some((address, _)) => Host::parse(&format!("{address}]")).ok(),
        None => Host::parse(host).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_hosts_are_rejected() {
        for invalid in
            ["user@localhost", "localhost:99999", "localhost:x", "localhost:+80", "[evil]", "1.2.3.4.5", "256.0.0.1"]
        {
            assert!(invalid.parse().ok().and_then(|authority| host_of(&authority)).is_none(), "{invalid:?}");
        }
    }
}
