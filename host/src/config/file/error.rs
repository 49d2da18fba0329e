//! Why a file cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use super::problems::Problem;
use crate::process::private_file::PrivateFileError;

/// A configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read, or it is not text.
    #[error("cannot read the configuration {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file with hashes of passwords belongs to another user or is accessible to one.
    #[error(transparent)]
    NotPrivate(#[from] PrivateFileError),
    /// The file has errors. Displays each in a line.
    #[error("{}", lines(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The errors, at least one, in the order of the file.
        problems: Vec<Problem>,
    },
}

fn lines(path: &Path, problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let separator = if problem.line.is_some() { ", " } else { ": " };
        format!("{}{separator}{problem}", path.display())
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}
