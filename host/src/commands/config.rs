//! `hotshoe config`: checks a configuration file, or prints an example.

use std::ffi::OsStr;
use std::path::Path;

use super::CommandError;
use super::output::print;
use crate::config::file::{ConfigFile, example};
use crate::config::{contradictions, load};

/// Reads a file, and checks it as if no other options were given. Its errors are those of the command.
pub(super) fn check(file: &Path) -> Result<(), CommandError> {
    ConfigFile::read(file)?;
    let arguments = ["hotshoe".as_ref(), "--config".as_ref(), file.as_os_str()];
    let cli = load(arguments.map(OsStr::to_owned), |_| None)?;
    contradictions::check(&cli.serve)?;
    print(&format!("{}: valid\n", file.display()))
}

pub(super) fn print_example() -> Result<(), CommandError> {
    print(&example())
}
