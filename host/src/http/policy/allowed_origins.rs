//! The origins that `--allow-origin` allows.

use std::str::FromStr;

use http::HeaderValue;

use crate::origin::Origin;

/// A value of `--allow-origin`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AllowedOrigin {
    /// `*`: every origin.
    Any,
    /// One origin, as browsers send it in `Origin`.
    One(HeaderValue),
}

impl FromStr for AllowedOrigin {
    type Err = &'static str;

    fn from_str(value: &str) -> Result<Self, &'static str> {
        if value == "*" {
            return Ok(Self::Any);
        }
        Origin::parse(value)
            .and_then(|origin| HeaderValue::from_str(&origin.to_string()).ok())
            .map(Self::One)
            .ok_or("use a scheme and a host, such as http://printer.local, or * for all origins")
    }
}

/// The allowed origins. The default allows none.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins(Vec<AllowedOrigin>);

impl AllowedOrigins {
    /// Allows the origins of these options.
    pub fn new(options: &[AllowedOrigin]) -> Self {
        Self(options.to_vec())
    }

    /// Whether no origin is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every origin is allowed.
    pub fn allows_any(&self) -> bool {
        self.0.contains(&AllowedOrigin::Any)
    }

    /// Whether the value of an `Origin` header is allowed.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|allowed| match allowed {
            AllowedOrigin::Any => true,
            AllowedOrigin::One(allowed) => allowed == origin,
        })
    }

    /// Returns the origins that are allowed by name.
    pub fn named(&self) -> impl Iterator<Item = &HeaderValue> {
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
    fn an_option_is_a_star_or_an_origin() {
        assert_eq!("*".parse(), Ok(AllowedOrigin::Any));
        let origin = AllowedOrigin::One(HeaderValue::from_static("https://cam.example"));
        assert_eq!("HTTPS://Cam.Example:443".parse(), Ok(origin));
        for invalid in ["", "null", "printer.local", "http://printer.local/", "http://*.local"] {
            assert!(invalid.parse::<AllowedOrigin>().is_err(), "{invalid:?}");
        }
    }
}
