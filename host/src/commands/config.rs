//! `hotshoe config`: checks a configuration file, or prints an example.

use std::ffi::OsString;
use std::path::Path;

use super::CommandError;
use super::output::print;
use crate::config::file::example;
use crate::config::{contradictions, load};

/// Reads a file, and checks it as if no other options were given. Its errors are those of the command.
pub(super) fn check(file: &Path) -> Result<(), CommandError> {
    let mut option = OsString::from("--config=");
    option.push(file);
    let cli = load(["hotshoe".into(), option], |_| None)?;
    contradictions::check(&cli.serve)?;
    print(&format!("{}: valid\n", file.display()))
}

pub(super) fn print_example() -> Result<(), CommandError> {
    print(&example())
}
