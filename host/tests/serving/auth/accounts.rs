//! A file with users and tokens for tests.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hotshoe::http::auth::{PasswordHash, Token, TokenKey};

/// The secret of tokens.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// An id that the file revokes from the start.
pub(crate) const REVOKED: &str = "00000000000000ff";

/// When tokens expire: in the year 2100.
const LATER: u64 = 4_102_444_800;

/// Users with the names of their roles, and with passwords that repeat the names: `view:view-password`.
pub(crate) const ROLES: [&str; 3] = ["view", "control", "admin"];

/// A folder with a file for `--users`. Removed when dropped.
pub(crate) struct Accounts {
    folder: tempfile::TempDir,
}

impl Accounts {
    /// Creates the file with one user of each role.
    pub(crate) fn new() -> Self {
        let accounts = Self { folder: tempfile::tempdir().unwrap() };
        write_private(&accounts.folder.path().join("secret"), SECRET);
        accounts.write(&ROLES.map(|role| (role, role)), &[REVOKED]);
        accounts
    }

    /// Writes the file with these users, each with a role, and revoked tokens. A user's hash stays the same.
    pub(crate) fn write(&self, users: &[(&str, &str)], revoked: &[&str]) {
        let mut text = String::new();
        for (name, role) in users {
            let file = self.folder.path().join(name);
            if !file.exists() {
                write_private(&file, &PasswordHash::new(password(name).as_bytes()).unwrap().to_string());
            }
            text += &format!("[users.{name}]\npassword_file = \"{}\"\nrole = \"{role}\"\n", file.display());
        }
        let secret = self.folder.path().join("secret");
        text += &format!("[tokens]\nsecret_file = \"{}\"\nrevoked = {revoked:?}\n", secret.display());
        write_private(&self.file(), &text);
    }

    /// The file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("users.toml")
    }

    /// Options for a server with these users.
    pub(crate) fn options(&self) -> [String; 2] {
        ["--users".to_owned(), self.file().display().to_string()]
    }
}

/// The password of a user.
pub(crate) fn password(name: &str) -> String {
    format!("{name}-password")
}

/// The value of `Authorization` with which a user logs in.
pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// The value of `Authorization` of a user with the right password.
pub(crate) fn login(name: &str) -> String {
    basic(name, &password(name))
}

/// A token with this id that opens these cameras.
pub(crate) fn token(id: &str, cameras: &[&str]) -> String {
    token_until(LATER, id, cameras)
}

/// Like [`token`], but with the time at which it expires.
pub(crate) fn token_until(expires: u64, id: &str, cameras: &[&str]) -> String {
    let cameras = cameras.iter().map(|name| (*name).to_owned()).collect();
    TokenKey::new(SECRET).unwrap().sign(&Token { id: id.to_owned(), expires, cameras })
}

/// Writes a file that only its owner can access.
pub(crate) fn write_private(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}
