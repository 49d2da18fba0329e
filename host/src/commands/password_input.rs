//! Passwords that people type.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::error::CommandError;
use crate::http::auth::MAX_PASSWORD_LENGTH;

/// Reads a line from standard input. On a terminal, asks for it and does not show what is typed.
pub(super) fn read_password() -> Result<String, CommandError> {
    if io::stdin().is_terminal() { ask("Password: ") } else { read_line() }
}

/// Like [`read_password`], but asks twice.
pub(super) fn read_new_password() -> Result<String, CommandError> {
    let password = read_password()?;
    if io::stdin().is_terminal() && password != ask("The same password again: ")? {
        return Err(CommandError::PasswordsDiffer);
    }
    Ok(password)
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
