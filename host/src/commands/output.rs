//! Standard output.

use std::io::{self, Write as _};

use super::error::CommandError;

/// Prints to standard output. Ignores a reader that closes its end early, such as `head`.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::Output(error)),
        _ => Ok(()),
    }
}
