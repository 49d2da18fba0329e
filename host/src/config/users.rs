//! From users and tokens, as a file describes them, to rules.

use std::path::{Path, PathBuf};

use super::accounts::{Accounts, PasswordEntry};
use super::file::{ConfigError, FILE_LIMIT, parse_accounts};
use super::serve_args::ServeArgs;
use crate::http::auth::{PasswordHash, PasswordHashError, Rules, TokenKey, TokenKeyError, Tokens, User, UserError};
use crate::process::private_file::{PrivateFileError, read_private_file};

/// How much of a password file is read, in bytes. No hash is longer.
const PASSWORD_FILE_LIMIT: u64 = 4096;

/// Why users or tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The file of `--users` cannot be read.
    #[error("--users: {0}")]
    File(#[source] PrivateFileError),
    /// The file of `--users` has errors.
    #[error("--users: {0}")]
    Invalid(#[source] ConfigError),
    /// A file that would leave the server open to everyone, surely by mistake.
    #[error("--users: {} has neither users nor tokens; add a user with `hotshoe passwd`, or omit --users", .0.display())]
    Empty(PathBuf),
    /// A user is not valid.
    #[error(transparent)]
    User(#[from] UserError),
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

/// The rules of the file of `--users` or else of the configuration file. Without any, everyone is admitted. Blocks while
/// it reads the files that the options name.
pub fn rules_of(args: &ServeArgs) -> Result<Rules, UsersError> {
    match &args.users {
        Some(path) => rules(&read_accounts(path)?),
        None => rules(&args.accounts),
    }
}

/// Reads a file with the sections `[users.NAME]` and `[tokens]`, which no other user of the machine may access. Blocks
/// while it reads.
fn read_accounts(path: &Path) -> Result<Accounts, UsersError> {
    let text = read_private_file("file with users", path, FILE_LIMIT).map_err(UsersError::File)?;
    let invalid = |problems| UsersError::Invalid(ConfigError::Invalid { path: path.to_owned(), problems });
    let accounts = parse_accounts(&text).map_err(invalid)?;
    if accounts.is_empty() { Err(UsersError::Empty(path.to_owned())) } else { Ok(accounts) }
}

/// Turns users and tokens into rules. Reads the files that they name, and blocks meanwhile.
fn rules(accounts: &Accounts) -> Result<Rules, UsersError> {
    let mut rules = Rules::default();
    for (name, entry) in &accounts.users {
        let password = match &entry.password {
            PasswordEntry::Hash(hash) => hash.clone(),
            PasswordEntry::File(path) => read_password(name, path)?,
        };
        rules.users.insert(name, User { role: entry.role, password })?;
    }
    if let Some(entry) = &accounts.tokens {
        let key = TokenKey::read(&entry.secret_file)?;
        rules.tokens = Some(Tokens::new(key, entry.revoked.iter().cloned()));
    }
    Ok(rules)
}

/// Reads the hash of a user's password from a file of its own.
fn read_password(name: &str, path: &Path) -> Result<PasswordHash, UsersError> {
    let failed = |source| UsersError::PasswordFile { name: name.to_owned(), source };
    let text = read_private_file("password file", path, PASSWORD_FILE_LIMIT).map_err(failed)?;
    text.trim().parse().map_err(|source| UsersError::Password { name: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::http::auth::Role;

    #[test]
    fn a_user_has_a_hash_or_a_private_file_with_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hash");
        let hash = PasswordHash::new(b"secret").unwrap().to_string();
        fs::write(&file, format!("{hash}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "[users.ann]\npassword = \"{hash}\"\nrole = \"control\"\n[users.bob]\npassword_file = \"{}\"\n",
            file.display()
        );
        let accounts = parse_accounts(&text).unwrap();
        let users = rules(&accounts).unwrap().users;
        assert_eq!(users.get("ann").unwrap().role, Role::Control);
        assert_eq!(users.get("bob").unwrap().role, Role::View);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(rules(&accounts).unwrap_err().to_string().contains("other users can access the password file"));
    }

    #[test]
    fn errors_of_a_file_have_the_line_and_no_password() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.toml");
        for (text, message) in [
            ("\n[users.ann]\npassword = \"hunter22\"", "users.toml, line 3: the user ann: the password is not a hash"),
            ("[user.ann]", "users.toml, line 1: unknown key `user`; did you mean `users`?"),
            ("[users.ann", "users.toml, line 1: "),
            ("", "users.toml has neither users nor tokens"),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = read_accounts(&path).unwrap_err().to_string();
            assert!(error.contains(message) && !error.contains("hunter22"), "{error}");
        }
    }
}
