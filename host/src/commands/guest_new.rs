//! `hotshoe guest new`: creates a guest to start from, a small one or a copy of the built-in one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::error::CommandError;
use super::output::print;
use crate::config::cli::Language;

/// The paths of the files in the new folder, and their contents.
type Files = &'static [(&'static str, &'static [u8])];

/// A copy of the built-in guest. `build.rs` generates the lists of files.
static FULL_FILES: Files = &include!(concat!(env!("OUT_DIR"), "/full_guest.rs"));

// The small guests.
static RUST_FILES: Files = &include!(concat!(env!("OUT_DIR"), "/rust_guest.rs"));
static JS_FILES: Files = &include!(concat!(env!("OUT_DIR"), "/js_guest.rs"));
static PYTHON_FILES: Files = &include!(concat!(env!("OUT_DIR"), "/python_guest.rs"));
static C_FILES: Files = &include!(concat!(env!("OUT_DIR"), "/c_guest.rs"));

/// Stands for the guest's name in the files.
const NAME: &str = "{guest-name}";

/// The files to make executable.
const EXECUTABLES: [&str; 2] = ["build", "dev"];

/// Creates a guest in `folder` that builds and serves: a copy of the built-in guest if `full`, or else a small one in
/// this language. Names it after the folder.
pub(super) fn run(folder: &Path, lang: Language, full: bool) -> Result<(), CommandError> {
    let files = match (full, lang) {
        (true, Language::Rust) => FULL_FILES,
        (true, _) => return Err(CommandError::FullInRustOnly),
        (false, Language::Rust) => RUST_FILES,
        (false, Language::Js) => JS_FILES,
        (false, Language::Python) => PYTHON_FILES,
        (false, Language::C) => C_FILES,
    };
    create(folder, files)?;
    print(&format!("created {0}; next: cd '{0}' && ./dev\n", folder.display()))
}

fn create(folder: &Path, files: Files) -> Result<(), CommandError> {
    let is_empty = match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(is_empty) => is_empty,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => false,
        Err(source) => return Err(CommandError::Write { path: folder.to_owned(), source }),
    };
    if !is_empty {
        return Err(CommandError::Occupied(folder.to_owned()));
    }
    let name = package_name(folder);
    for (path, contents) in files {
        let is_executable = EXECUTABLES.contains(path);
        let path = folder.join(path);
        let named = std::str::from_utf8(contents).map(|text| text.replace(NAME, &name));
        let contents = named.as_ref().map_or(*contents, |text| text.as_bytes());
        write(&path, contents, is_executable).map_err(|source| CommandError::Write { path, source })?;
    }
    Ok(())
}

fn write(path: &Path, contents: &[u8], is_executable: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mode = if is_executable { 0o755 } else { 0o644 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(contents)
}

/// Turns a folder's name into a package name for cargo: letters, digits, `-` and `_`, starting with a letter.
fn package_name(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let replace = |char: char| if char.is_ascii_alphanumeric() || char == '_' { char } else { '-' };
    let name: String = name.trim_matches(|char: char| !char.is_ascii_alphanumeric()).chars().map(replace).collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        Some(_) => format!("guest-{name}"),
        None => "my-guest".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_name_yields_a_valid_package_name() {
        for (folder, name) in [
            ("my-guest", "my-guest"),
            ("/tmp/Porch Cam", "porch-cam"),
            ("a.b_c", "a-b_c"),
            ("3d", "guest-3d"),
            ("..", "my-guest"),
            ("-x-", "x"),
        ] {
            assert_eq!(package_name(Path::new(&format!("/nowhere/{folder}"))), name, "{folder}");
        }
    }
}
