//! The address of a camera in the network.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// An `http` or `https` URL.
///
/// Its text form lacks the user name, the password, the query and the fragment, which may be secret: it appears in the
/// log and is sent to viewers.
#[derive(Clone, Eq, PartialEq)]
pub struct Address(Url);

/// Why text is not an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// It is not an `http` or `https` URL.
    #[error("use an address such as http://192.168.1.7:8080/?action=stream")]
    Invalid,
}

impl Address {
    /// The URL to request.
    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// Whether it contains a user name or a password, which every user of the machine could read in the list of
    /// processes.
    pub fn has_credentials(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }

    /// The host name or address, without brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let mut url: Url = input.parse().map_err(|_| AddressError::Invalid)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(AddressError::Invalid);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }
}

/// Formats as `http://192.168.1.7:8080/stream`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Formats a URL without what may be secret.
pub(super) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // Both fail only for URLs that have no host.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_show_no_secrets() {
        let address: Address = "HTTP://Cam.local:8080/a%20b?token=secret#x".parse().unwrap();
        assert_eq!(address.to_string(), "http://cam.local:8080/a%20b");
        assert_eq!(format!("{address:?}"), "Address(http://cam.local:8080/a%20b)");
        assert_eq!(address.url().as_str(), "http://cam.local:8080/a%20b?token=secret");
        for url in ["http://geheim@cam/", "http://geheim:geheim@cam/", "http://:geheim@cam/"] {
            let address: Address = url.parse().unwrap();
            assert!(address.has_credentials(), "{url}");
            assert_eq!(address.to_string(), "http://cam/");
        }
        assert!(!address.has_credentials());
        assert_eq!("http://[fe80::1]/".parse::<Address>().unwrap().host(), "fe80::1");
    }

    #[test]
    fn other_urls_are_refused() {
        for url in ["", "cam", "http://", "https:", "ftp://cam/", "file:///etc/passwd", "http://cam:port/"] {
            assert_eq!(url.parse::<Address>(), Err(AddressError::Invalid), "{url}");
        }
    }
}
