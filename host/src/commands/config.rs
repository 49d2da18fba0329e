//! `hotshoe config`: checks a configuration file, or prints an example.

use std::path::Path;

use super::CommandError;
use super::output::print;
use crate::config::file::{ConfigFile, example};

/// Reads a file. Its errors are those of the command.
pub(super) fn check(file: &Path) -> Result<(), CommandError> {
    ConfigFile::read(file)?;
    print(&format!("{}: valid\n", file.display()))
}

pub(super) fn print_example() -> Result<(), CommandError> {
    print(&example())
}
