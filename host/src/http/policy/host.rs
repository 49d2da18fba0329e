//! Parsing the host of a request's authority.

use http::uri::Authority;
use url::Host;

/// The longest host, in bytes: a name with its final dot (RFC 1035, section 2.3.4) is shorter.
const MAX_HOST_LENGTH: usize = 255;

/// The host of an authority, in lower case and with every notation of an IPv4 address understood (URL Standard, host
/// parsing). `None` if the authority has user information, or a port or host that is not valid.
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
    // Some clients leave in the zone of a link-local address (RFC 6874), which means nothing here.
    match host.split_once('%').filter(|_| host.starts_with('[')) {
        Some((address, _)) => Host::parse(&format!("{address}]")).ok(),
        None => Host::parse(host).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_host_is_none() {
        for wrong in
            ["user@localhost", "localhost:99999", "localhost:x", "localhost:+80", "[evil]", "1.2.3.4.5", "256.0.0.1"]
        {
            assert!(wrong.parse::<Authority>().ok().and_then(|authority| host_of(&authority)).is_none(), "{wrong:?}");
        }
    }
}
