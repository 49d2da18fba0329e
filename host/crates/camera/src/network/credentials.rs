//! A user name and a password.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// How much of the file is read, in bytes. No password is longer.
const FILE_LIMIT: u64 = 4 << 10;

/// The permission bits of everybody except the file's owner. None may be set.
const OTHERS: u32 = 0o077;

/// The user who can access every file anyway.
const ROOT: u32 = 0;

/// A user name and a password.
#[derive(Clone, Eq, PartialEq)]
pub struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// Why credentials cannot be read from a file.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("cannot read the credentials file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Other users can read the file or could have replaced it.
    #[error("other users can access the credentials file {path}; run `chmod 600 {path}`", path = .0.display())]
    NotPrivate(PathBuf),
    /// The file belongs to another user, who can read and replace it.
    #[error("the credentials file {path} belongs to another user; run `chown {user} {path}`", path = path.display())]
    WrongOwner {
        /// The file.
        path: PathBuf,
        /// The user that this program runs as.
        user: u32,
    },
    /// The content has another form.
    #[error("the credentials file {} must contain one line with USER:PASSWORD", .0.display())]
    Invalid(PathBuf),
}

impl Credentials {
    /// Reads `USER:PASSWORD` from a file that nobody but this user and root can access. The password may contain colons
    /// and spaces.
    pub fn read(path: &Path) -> Result<Self, CredentialsError> {
        let failed = |source| CredentialsError::Read { path: path.to_owned(), source };
        // Opening a pipe would block.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("it is not a regular file")));
        }
        let mut file = File::open(path).map_err(failed)?;
        // Of the file that was opened; the path may lead to another one by now.
        let metadata = file.metadata().map_err(failed)?;
        let user = geteuid().as_raw();
        if metadata.uid() != user && metadata.uid() != ROOT {
            return Err(CredentialsError::WrongOwner { path: path.to_owned(), user });
        }
        if metadata.mode() & OTHERS != 0 {
            return Err(CredentialsError::NotPrivate(path.to_owned()));
        }
        let mut text = String::new();
        file.by_ref().take(FILE_LIMIT).read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text).ok_or_else(|| CredentialsError::Invalid(path.to_owned()))
    }

    /// Parses `USER:PASSWORD`, with or without a line break at the end.
    fn parse(text: &str) -> Option<Self> {
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
