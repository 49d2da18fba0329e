//! What is wrong with the text of a file, and where.

use std::fmt;

/// An error in the text of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The line, from 1. `None` if it is the combination of several values that is wrong.
    pub line: Option<usize>,
    /// What is wrong, in one line.
    pub message: String,
}

/// Collects the errors in a text.
pub(super) struct Problems<'t> {
    text: &'t str,
    list: Vec<Problem>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// Adds an error at a place, as an offset in bytes.
    pub(super) fn add(&mut self, at: usize, message: String) {
        let line = self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        self.list.push(Problem { line: Some(line), message });
    }

    /// Adds an error of several values together.
    pub(super) fn add_combination(&mut self, message: String) {
        self.list.push(Problem { line: None, message });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns `value` if there are no errors, and else all of them in the order of the text.
    pub(super) fn check<T>(mut self, value: T) -> Result<T, Vec<Problem>> {
        self.list.sort_by_key(|problem| problem.line);
        if self.list.is_empty() { Ok(value) } else { Err(self.list) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "line {line}: {}", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}
