//! A user name and a password.

use std::fmt;

/// A user name and a password.
#[derive(Clone, Eq, PartialEq)]
pub struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl Credentials {
    /// Parses `USER:PASSWORD`, with or without a line break at the end. The password may contain colons and spaces.
    pub fn parse(text: &str) -> Option<Self> {
        let line = text.trim_end_matches(['\r', '\n']);
        let (user, password) = line.split_once(':').filter(|_| !line.contains(char::is_control))?;
        (!user.is_empty()).then(|| Self { user: user.to_owned(), password: password.to_owned() })
    }
}

/// Shows neither the user nor the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_may_contain_anything_but_control_characters() {
        let parsed = Credentials::parse("user:pass:w\u{f6}rd 1\r\n").unwrap();
        assert_eq!((parsed.user.as_str(), parsed.password.as_str()), ("user", "pass:w\u{f6}rd 1"));
        assert_eq!(format!("{parsed:?}"), "Credentials");
        for text in ["", "user", ":password", "user:pass\nword", "user:pass\0word"] {
            assert_eq!(Credentials::parse(text), None, "{text:?}");
        }
    }
}
