//! Who is asking.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::password::PasswordHash;
use super::role::Role;

/// Tells the guest who is asking: the name of the user, or `token:ID`.
const X_HOTSHOE_USER: HeaderName = HeaderName::from_static("x-hotshoe-user");

/// Tells the guest what the user may do: `view`, `control` or `admin`.
const X_HOTSHOE_ROLE: HeaderName = HeaderName::from_static("x-hotshoe-role");

/// Who is asking. Requests that were admitted carry it in their extensions. Displays as a name for logs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Caller {
    /// The configuration has neither users nor tokens.
    Anyone,
    /// A user who has logged in.
    User {
        /// The name.
        name: Arc<str>,
        /// The role at that time.
        role: Role,
        /// The hash of the password at that time.
        password: PasswordHash,
    },
    /// Someone with a token.
    Token {
        /// The id of the token.
        id: Arc<str>,
        /// When it expires, in seconds since 1970.
        expires: u64,
        /// The token itself, to check it again.
        secret: TokenText,
    },
}

/// The text of a token. `Debug` does not show it.
#[derive(Clone, Eq, PartialEq)]
pub struct TokenText(pub(super) Arc<str>);

impl fmt::Debug for TokenText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenText")
    }
}

impl Caller {
    /// What the caller may do. `None` for [`Anyone`](Self::Anyone), who may do what the options of the server permit.
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Anyone => None,
            Self::User { role, .. } => Some(*role),
            Self::Token { .. } => Some(Role::View),
        }
    }

    /// Tells the guest who is asking.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        let Some(role) = self.role() else { return };
        headers.insert(X_HOTSHOE_ROLE, HeaderValue::from_static(role.as_str()));
        // Cannot fail: names and ids are visible ASCII.
        if let Ok(name) = HeaderValue::try_from(self.to_string()) {
            headers.insert(X_HOTSHOE_USER, name);
        }
    }

    /// Removes the headers that only the host may set.
    pub(super) fn remove_headers(headers: &mut HeaderMap) {
        headers.remove(X_HOTSHOE_USER);
        headers.remove(X_HOTSHOE_ROLE);
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => formatter.write_str("anyone"),
            Self::User { name, .. } => formatter.write_str(name),
            Self::Token { id, .. } => write!(formatter, "token:{id}"),
        }
    }
}
