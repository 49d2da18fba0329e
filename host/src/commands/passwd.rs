//! `hotshoe passwd`: hashes a password for the configuration.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::error::CommandError;
use super::output::print;
use crate::config::cli::PasswdArgs;
use crate::http::auth::{MAX_PASSWORD_LENGTH, PasswordHash, check_name};

/// The fewest characters of a password. A program that guesses can try thousands per day and address.
const MIN_LENGTH: usize = 8;

/// Prints the section of the user, or only the hash without a name.
pub(super) fn run(args: &PasswdArgs) -> Result<(), CommandError> {
    if let Some(name) = &args.name {
        check_name(name)?;
    }
    let password = read_password()?;
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

/// Reads a line from standard input. On a terminal, asks twice and does not show what is typed.
fn read_password() -> Result<String, CommandError> {
    if !io::stdin().is_terminal() {
        return read_line();
    }
    let password = ask("Password: ")?;
    if password == ask("The same password again: ")? { Ok(password) } else { Err(CommandError::PasswordsDiffer) }
}

fn ask(prompt: &str) -> Result<String, CommandError> {
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{prompt}").and_then(|()| stderr.flush());
    let hidden = HiddenInput::start().map_err(CommandError::Password)?;
    let line = read_line();
    drop(hidden);
    let _ = writeln!(stderr);
    line
}

/// Reads a line without its end.
fn read_line() -> Result<String, CommandError> {
    let mut line = String::new();
    // One byte more than allowed, and the end of the line.
    let limit = MAX_PASSWORD_LENGTH as u64 + 3;
    io::stdin().lock().take(limit).read_line(&mut line).map_err(CommandError::Password)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}

/// Makes the terminal show nothing that is typed, until it is dropped. The shell does the same if a signal ends the
/// program before.
struct HiddenInput(Termios);

impl HiddenInput {
    fn start() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
