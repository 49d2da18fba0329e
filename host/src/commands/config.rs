//! `hotshoe config`: checks a configuration file, or prints an example.

use std::path::Path;

use super::CommandError;
use super::output::print;
use crate::config::file::example;
use crate::config::{contradictions, load_for_check};

/// Reads a file, and checks it as if no other options were given. Its errors are those of the command.
pub(super) fn check(file: &Path) -> Result<(), CommandError> {
    let cli = load_for_check(file)?;
    contradictions::check(&cli.serve)?;
    print(&format!("{}: valid\n", file.display()))
}

pub(super) fn print_example() -> Result<(), CommandError> {
    print(&example())
}
