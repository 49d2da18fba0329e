//! `hotshoe passwd`: hashes a password for the configuration.

use super::error::CommandError;
use super::output::print;
use super::password_input::read_new_password;
use crate::config::cli::PasswdArgs;
use crate::http::auth::{PasswordHash, check_name};

/// The fewest characters of a password. A program that guesses can try thousands per day and address.
const MIN_LENGTH: usize = 8;

/// Prints the section of the user, or only the hash without a name.
pub(super) fn run(args: &PasswdArgs) -> Result<(), CommandError> {
    if let Some(name) = &args.name {
        check_name(name)?;
    }
    let password = read_new_password()?;
    if password.chars().count() < MIN_LENGTH {
        return Err(CommandError::ShortPassword(MIN_LENGTH));
    }
    let hash = PasswordHash::new(password.as_bytes())?;
    match &args.name {
        Some(name) => print(&format!("[users.{}]\npassword = \"{hash}\"\nrole = \"{}\"\n", toml_key(name), args.role)),
        None => print(&format!("{hash}\n")),
    }
}

/// A bare key of TOML if the name is one, and otherwise a quoted one. Names contain nothing to escape.
fn toml_key(name: &str) -> String {
    let is_bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if is_bare { name.to_owned() } else { format!("\"{name}\"") }
}
