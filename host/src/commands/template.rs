//! The sources of the built-in guest, as a guest of one's own to start from.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Paths in the new folder, and contents; made by `build.rs`.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/new_guest.rs"));

/// What stands for the guest's name in the files that have it.
const NAME: &str = "{guest-name}";

/// The files that are run, not only read.
const PROGRAMS: [&str; 1] = ["dev"];

/// Why there is no new guest.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// There is something already.
    #[error("{} is there already; give a folder that is not, or is empty", .0.display())]
    Occupied(PathBuf),
    /// A file can't be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Make `folder` a guest of one's own that builds and serves. Its name is the folder's.
pub fn make(folder: &Path) -> Result<(), TemplateError> {
    let is_empty = match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(is_empty) => is_empty,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => false,
        Err(source) => return Err(TemplateError::Write { path: folder.to_owned(), source }),
    };
    if !is_empty {
        return Err(TemplateError::Occupied(folder.to_owned()));
    }
    let name = package_name(folder);
    for (path, contents) in FILES {
        let program = PROGRAMS.contains(path);
        let path = folder.join(path);
        let named = std::str::from_utf8(contents).map(|text| text.replace(NAME, &name));
        let contents = named.as_ref().map_or(*contents, |text| text.as_bytes());
        write(&path, contents, program).map_err(|source| TemplateError::Write { path, source })?;
    }
    Ok(())
}

fn write(path: &Path, contents: &[u8], program: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mode = if program { 0o755 } else { 0o644 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(contents)
}

/// The folder's name as cargo allows it for a package: letters, digits, `-` and `_`, beginning with a letter.
fn package_name(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let allowed = |char: char| if char.is_ascii_alphanumeric() || char == '_' { char } else { '-' };
    let name: String = name.trim_matches(|char: char| !char.is_ascii_alphanumeric()).chars().map(allowed).collect();
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
    fn a_package_can_be_named_after_any_folder() {
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
