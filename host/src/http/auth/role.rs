//! What a user may do.

use std::fmt;
use std::str::FromStr;

use http::Method;

/// What a user may do. Each role includes those before it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Watch: requests with GET, HEAD and OPTIONS.
    View,
    /// Change controls of cameras: requests with any method.
    Control,
    /// Use the admin listener.
    Admin,
}

/// The text names no role.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("use view, control or admin")]
pub struct ParseRoleError;

impl Role {
    /// The role that viewers need for a request with this method: [`View`](Self::View) for safe methods (RFC 9110,
    /// section 9.2.1), [`Control`](Self::Control) for all others. It does not depend on the path: which paths change
    /// something is up to the guest, and so is how it reads a path.
    pub fn required_for(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE => Self::View,
            _ => Self::Control,
        }
    }

    /// The name, as in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Control => "control",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, ParseRoleError> {
        [Self::View, Self::Control, Self::Admin].into_iter().find(|role| role.as_str() == text).ok_or(ParseRoleError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_includes_those_before_it() {
        assert!(Role::View < Role::Control && Role::Control < Role::Admin);
        for role in [Role::View, Role::Control, Role::Admin] {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(ParseRoleError));
    }
}
