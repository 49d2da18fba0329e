//! Finds the file of a program.

use std::env;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::error::InputError;

/// What to do about a missing program, unless there is better advice.
pub(super) const GENERAL_ADVICE: &str = "install it, or give its full path";

/// Returns the file of `program`: the path itself if it contains a slash, else the first such executable file in a
/// folder of `PATH`.
pub(super) fn find_program(program: &str, advice: &'static str) -> Result<PathBuf, InputError> {
    let not_found = || InputError::ProgramNotFound { program: program.to_owned(), advice };
    if program.contains('/') {
        let path = PathBuf::from(program);
        return match path.is_file() {
            true if is_executable(&path) => Ok(path),
            true => Err(InputError::ProgramDenied { path }),
            false => Err(not_found()),
        };
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let candidates = env::split_paths(&folders).map(|folder| folder.join(program));
    let mut files = candidates.filter(|path| path.is_file()).peekable();
    let first = files.peek().cloned();
    match (files.find(|path| is_executable(path)), first) {
        (Some(path), _) => Ok(path),
        (None, Some(path)) => Err(InputError::ProgramDenied { path }),
        (None, None) => Err(not_found()),
    }
}

fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}
