//! Users and tokens as a file describes them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::http::auth::{PasswordHash, Role};

/// The sections `[users.NAME]` and `[tokens]`. `Debug` shows no secret. The default has neither.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Accounts {
    /// The users, by their names.
    pub users: BTreeMap<String, UserEntry>,
    /// Which tokens are valid. `None` if tokens are not used.
    pub tokens: Option<TokensEntry>,
}

/// A section `[users.NAME]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserEntry {
    /// The hash of the password.
    pub password: PasswordEntry,
    /// What the user may do.
    pub role: Role,
}

/// Where the hash of a password is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PasswordEntry {
    /// In the same file.
    Hash(PasswordHash),
    /// In a file of its own, which no other user of the machine may access.
    File(PathBuf),
}

/// The section `[tokens]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokensEntry {
    /// The file with the secret that signs tokens, which no other user of the machine may access.
    pub secret_file: PathBuf,
    /// The ids of tokens that are not valid any more.
    pub revoked: Vec<String>,
}

impl Accounts {
    /// Whether there are neither users nor tokens.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.tokens.is_none()
    }

    /// Whether the text of the file is secret: a hash is as good as the password to someone with a fast machine, if the
    /// password is weak.
    pub fn has_hash(&self) -> bool {
        self.users.values().any(|user| matches!(user.password, PasswordEntry::Hash(_)))
    }
}
