//! What is wrong with a configuration file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read, or it is not text.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file has errors. Displays each in a line.
    #[error("{}", lines(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The errors, at least one, in the order of the file.
        problems: Vec<Problem>,
    },
}

/// An error in a configuration file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The line, from 1. `None` if it is the combination of several values that is wrong.
    pub line: Option<usize>,
    /// What is wrong, in one line.
    pub message: String,
}

fn lines(path: &Path, problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let separator = if problem.line.is_some() { ", " } else { ": " };
        format!("{}{separator}{problem}", path.display())
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "line {line}: {}", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}
