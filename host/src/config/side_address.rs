//! The value of `--admin` or `--metrics`.

use std::str::FromStr;

use crate::http::listen::{ListenAddress, ParseListenAddressError};

/// The value of `--admin` or `--metrics`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SideAddress {
    /// `off`: no such listener.
    Off,
    /// The address of the listener.
    Listen(ListenAddress),
}

impl SideAddress {
    /// The address, unless it is `off`.
    pub fn listen(&self) -> Option<&ListenAddress> {
        match self {
            Self::Listen(address) => Some(address),
            Self::Off => None,
        }
    }
}

impl FromStr for SideAddress {
    type Err = ParseListenAddressError;

    fn from_str(input: &str) -> Result<Self, ParseListenAddressError> {
        if input == "off" { Ok(Self::Off) } else { input.parse().map(Self::Listen) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_off_or_an_address() {
        assert_eq!("off".parse(), Ok(SideAddress::Off));
        for address in ["127.0.0.1:0", "5001", "unix:/run/hotshoe"] {
            assert_eq!(address.parse(), Ok(SideAddress::Listen(address.parse().unwrap())));
        }
        assert_eq!("on".parse::<SideAddress>(), Err(ParseListenAddressError));
    }
}
