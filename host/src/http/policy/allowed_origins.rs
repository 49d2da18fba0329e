//! Origins of web pages (RFC 6454), and those that `--allow-origin` names.

use std::str::FromStr;

use http::HeaderValue;

use super::origin::Origin;

/// The value of one `--allow-origin` option.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AllowedOrigin {
    /// `*`: the pages of all sites.
    Any,
    /// The pages of one site: what its browsers send as `Origin`.
    One(HeaderValue),
}

impl FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        if value == "*" {
            return Ok(Self::Any);
        }
        Origin::parse(value)
            .and_then(|origin| HeaderValue::from_str(&origin.to_string()).ok())
            .map(Self::One)
            .ok_or_else(|| format!("`{value}` is not an origin, such as http://printer.local or *"))
    }
}

/// The sites that `--allow-origin` names.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<AllowedOrigin>);

impl AllowedOrigins {
    /// The sites of these options.
    pub fn new(options: &[AllowedOrigin]) -> Self {
        Self(options.to_vec())
    }

    /// Whether no site is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all sites are named, by `*`.
    pub fn is_any(&self) -> bool {
        self.0.contains(&AllowedOrigin::Any)
    }

    /// Whether this `Origin` is of a named site.
    pub fn contains(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|allowed| match allowed {
            AllowedOrigin::Any => true,
            AllowedOrigin::One(allowed) => allowed == origin,
        })
    }

    /// The sites that are named one by one.
    pub fn listed(&self) -> impl Iterator<Item = &HeaderValue> {
        self.0.iter().filter_map(|allowed| match allowed {
            AllowedOrigin::Any => None,
            AllowedOrigin::One(origin) => Some(origin),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        assert_eq!("*".parse(), Ok(AllowedOrigin::Any));
        for (typed, sent) in [
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
            assert_eq!(typed.parse(), Ok(AllowedOrigin::One(HeaderValue::from_static(sent))), "{typed}");
        }
    }

    #[test]
    fn what_is_not_an_origin_is_refused() {
        for wrong in [
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
            assert!(wrong.parse::<AllowedOrigin>().is_err(), "{wrong:?}");
        }
    }
}
