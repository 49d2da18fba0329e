//! The users and tokens of a TOML file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::serve_args::ServeArgs;
use crate::http::auth::{
    PasswordHash, PasswordHashError, Role, Rules, TokenKey, TokenKeyError, Tokens, User, UserError,
};
use crate::process::private_file::{PrivateFileError, read_private_file};

/// How much of a password file is read, in bytes. No hash is longer.
const PASSWORD_FILE_LIMIT: u64 = 4096;

/// How much of a file with users is read, in bytes: enough for a thousand.
const USERS_FILE_LIMIT: u64 = 1 << 20;

/// A file with users and tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UsersFile {
    #[serde(default)]
    users: BTreeMap<String, UserEntry>,
    tokens: Option<TokensEntry>,
}

/// A section `[users.NAME]`.
#[derive(Clone, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// The hash of the password, as `hotshoe passwd` prints it.
    pub password: Option<String>,
    /// A file with the hash, which no other user of the machine may access.
    pub password_file: Option<PathBuf>,
    /// What the user may do.
    #[serde(default = "default_role")]
    pub role: Role,
}

/// The section `[tokens]`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TokensEntry {
    /// The file with the secret that signs tokens, which no other user of the machine may access.
    pub secret_file: PathBuf,
    /// The ids of tokens that are not valid any more.
    #[serde(default)]
    pub revoked: Vec<String>,
}

/// Why users or tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The file has an error.
    #[error("{}, line {line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A file that would leave the server open to everyone, surely by mistake.
    #[error("{} has neither users nor tokens; add a user with `hotshoe passwd`, or omit --users", .0.display())]
    Empty(PathBuf),
    /// A user is not valid.
    #[error(transparent)]
    User(#[from] UserError),
    /// A user needs exactly one password.
    #[error("the user {0} needs either password or password_file")]
    OnePassword(String),
    /// A password file cannot be used.
    #[error("the user {name}: {source}")]
    PasswordFile {
        /// The name of the user.
        name: String,
        /// Why not.
        source: PrivateFileError,
    },
    /// A hash cannot be used.
    #[error("the user {name}: {source}")]
    Password {
        /// The name of the user.
        name: String,
        /// Why not.
        source: PasswordHashError,
    },
    /// The secret of tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokenKeyError),
}

fn default_role() -> Role {
    Role::View
}

/// Shows no hash: it is as good as the password to someone with a fast machine and a weak password.
impl std::fmt::Debug for UserEntry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("UserEntry").field("role", &self.role).finish_non_exhaustive()
    }
}

/// The users and tokens of the options. Without any, everyone is admitted. Blocks while it reads the files that the
/// options name.
pub fn users_of(args: &ServeArgs) -> Result<Rules, UsersError> {
    Ok(args.users.as_deref().map(read_users).transpose()?.unwrap_or_default())
}

/// Reads a file with the sections `[users.NAME]` and `[tokens]`, which no other user of the machine may access. Blocks
/// while it reads.
pub fn read_users(path: &Path) -> Result<Rules, UsersError> {
    let text = read_private_file("file with users", path, USERS_FILE_LIMIT)?;
    let file: UsersFile = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        UsersError::Syntax { path: path.to_owned(), line, message: without_values(error.message()) }
    })?;
    let rules = rules(&file.users, file.tokens.as_ref())?;
    if rules.admit_anyone() { Err(UsersError::Empty(path.to_owned())) } else { Ok(rules) }
}

/// An error's message without the value that has the wrong type, which may be a password.
fn without_values(message: &str) -> String {
    match (message.starts_with("invalid type"), message.rsplit_once("expected ")) {
        (true, Some((_, expected))) => format!("invalid type, expected {expected}"),
        _ => message.trim_end().replace('\n', ", "),
    }
}

/// Turns the sections into rules. Reads the files that they name, and blocks meanwhile.
pub fn rules(users: &BTreeMap<String, UserEntry>, tokens: Option<&TokensEntry>) -> Result<Rules, UsersError> {
    let mut rules = Rules::default();
    for (name, entry) in users {
        let failed = |source| UsersError::PasswordFile { name: name.clone(), source };
        let hash = match (&entry.password, &entry.password_file) {
            (Some(hash), None) => hash.clone(),
            (None, Some(path)) => {
                read_private_file("password file", path, PASSWORD_FILE_LIMIT).map_err(failed)?.trim().to_owned()
            }
            _ => return Err(UsersError::OnePassword(name.clone())),
        };
        let invalid = |source: PasswordHashError| UsersError::Password { name: name.clone(), source };
        let password: PasswordHash = hash.parse().map_err(invalid)?;
        rules.users.insert(name, User { role: entry.role, password })?;
    }
    if let Some(entry) = tokens {
        let key = TokenKey::read(&entry.secret_file)?;
        rules.tokens = Some(Tokens::new(key, entry.revoked.iter().cloned()));
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    fn rules_of(users: serde_json::Value) -> Result<Rules, String> {
        let users: BTreeMap<String, UserEntry> = serde_json::from_value(users).map_err(|error| error.to_string())?;
        rules(&users, None).map_err(|error| error.to_string())
    }

    #[test]
    fn a_user_has_a_hash_or_a_private_file_with_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hash");
        let hash = PasswordHash::new(b"secret").unwrap().to_string();
        fs::write(&file, format!("{hash}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let users = json!({"ann": {"password": hash, "role": "control"}, "bob": {"password_file": file}});
        let rules = rules_of(users.clone()).unwrap();
        assert_eq!(rules.users.get("ann").unwrap().role, Role::Control);
        assert_eq!(rules.users.get("bob").unwrap().role, Role::View);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(rules_of(users).unwrap_err().contains("other users can access the password file"));
    }

    #[test]
    fn errors_of_a_file_have_the_line_and_no_password() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.toml");
        for (text, message) in [
            ("\n[users.ann]\npassword = 17", "users.toml, line 3: invalid type, expected a string"),
            ("[users]\nann = \"hunter22\"", "users.toml, line 2: invalid type, expected "),
            ("[users.ann]\nrole = \"root\"", "users.toml, line 2: unknown variant `root`"),
            ("[user.ann]", "users.toml, line 1: unknown field `user`"),
            ("[users.ann", "users.toml, line 1: "),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = read_users(&path).unwrap_err().to_string();
            assert!(error.contains(message) && !error.contains("hunter22") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn errors_name_the_user_and_contain_no_password() {
        for (users, message) in [
            (json!({"ann": {"password": "hunter22"}}), "the user ann: the password is not a hash"),
            (json!({"ann": {}}), "the user ann needs either password or password_file"),
            (
                json!({"a:b": {"password": PasswordHash::new(b"x").unwrap().to_string()}}),
                "`a:b` is not the name of a user",
            ),
            (json!({"ann": {"password": "", "role": "root"}}), "unknown variant `root`"),
            (json!({"ann": {"pasword": ""}}), "unknown field `pasword`"),
        ] {
            let error = rules_of(users).unwrap_err();
            assert!(error.contains(message) && !error.contains("hunter22"), "{error}");
        }
    }
}
