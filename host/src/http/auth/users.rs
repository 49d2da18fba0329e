//! The users of the configuration.

use std::collections::BTreeMap;

use super::password::PasswordHash;
use super::role::Role;

/// The longest name of a user.
const MAX_NAME_LENGTH: usize = 64;

/// The most users. A camera server for more has a reverse proxy with a directory of its own.
const MAX_USERS: usize = 1000;

/// A user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// What the user may do.
    pub role: Role,
    /// The hash of the password.
    pub password: PasswordHash,
}

/// All users, by name. The default has none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Users(BTreeMap<String, User>);

/// Why a user cannot be added.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UserError {
    /// Basic authentication cannot carry a colon in a name, and the name is a header's value for the guest.
    #[error(
        "`{}` is not the name of a user; use 1 to {MAX_NAME_LENGTH} letters, digits, `.`, `-`, `_` and `@`",
        .0.escape_debug()
    )]
    Name(String),
    /// There are too many users.
    #[error("there are more than {MAX_USERS} users")]
    TooMany,
}

impl Users {
    /// Adds a user, or replaces the one with this name.
    pub fn insert(&mut self, name: &str, user: User) -> Result<(), UserError> {
        check_name(name)?;
        if self.0.len() >= MAX_USERS && !self.0.contains_key(name) {
            return Err(UserError::TooMany);
        }
        self.0.insert(name.to_owned(), user);
        Ok(())
    }

    /// The user with this name. Names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&User> {
        self.0.get(name)
    }

    /// The names of all users, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there are no users.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a user has this role, or one that includes it.
    pub fn has_role(&self, role: Role) -> bool {
        self.0.values().any(|user| user.role >= role)
    }

    /// The hash that is the most expensive to check. `None` without users.
    pub(super) fn most_expensive_hash(&self) -> Option<&PasswordHash> {
        self.0.values().map(|user| &user.password).max_by_key(|password| password.cost())
    }
}

/// Checks the name of a user.
pub fn check_name(name: &str) -> Result<(), UserError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte);
    let is_valid = (1..=MAX_NAME_LENGTH).contains(&name.len()) && name.bytes().all(is_allowed);
    if is_valid { Ok(()) } else { Err(UserError::Name(name.chars().take(MAX_NAME_LENGTH).collect())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_headers_and_basic_authentication() {
        for name in ["ann", "Ann-Marie_2", "ann@example.com", &"a".repeat(64)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "a:b", "a b", "a\n", "\u{e4}nn", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
