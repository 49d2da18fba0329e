//! Where the admin listener is: `ADDRESS:PORT`, `unix:PATH` or `off`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the admin listener is, as it is typed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AdminAddress {
    /// There is none.
    Off,
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for AdminAddress {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        if typed == "off" {
            return Ok(Self::Off);
        }
        if let Some(path) = typed.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        typed
            .parse()
            .map(Self::Tcp)
            .map_err(|_| "give an address such as 127.0.0.1:5001, unix: and a path, or off".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_typed() {
        assert_eq!("off".parse(), Ok(AdminAddress::Off));
        assert_eq!("127.0.0.1:0".parse(), Ok(AdminAddress::Tcp(([127, 0, 0, 1], 0).into())));
        assert_eq!("unix:/run/hotshoe".parse(), Ok(AdminAddress::Unix("/run/hotshoe".into())));
        for wrong in ["", "on", "unix:", "localhost", ":5001", "/run/hotshoe"] {
            assert!(wrong.parse::<AdminAddress>().is_err(), "{wrong}");
        }
    }
}
