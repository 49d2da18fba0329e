//! `hotshoe guest save`: writes the built-in guest to a file.

use std::fs;
use std::path::Path;

use super::error::CommandError;
use crate::sandbox::Candidate;

/// Writes the component to `file`, which is overwritten if it exists.
pub(super) fn run(file: &Path) -> Result<(), CommandError> {
    let guest = Candidate::read(None)?;
    fs::write(file, guest.bytes()).map_err(|source| CommandError::Write { path: file.to_owned(), source })
}
