//! Which sources a component of the guest was made from.
//!
//! A component carries the SHA-256 of the guest's sources and the WIT in a custom section, so that the copy
//! which is checked in can be held against the sources beside it. Used by the build script and by a test.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What the component is made from, relative to the workspace.
pub const FOLDERS_AND_FILES: [&str; 3] = ["guest/Cargo.toml", "guest/src", "wit"];

/// The copy that is checked in, relative to the workspace.
pub const PREBUILT: &str = "guest/prebuilt.wasm";

/// The custom section's name.
const SECTION: &str = "hotshoe-sources";

/// The length of a SHA-256 in hexadecimal digits.
const DIGEST_LENGTH: usize = 64;

/// The SHA-256 of all sources: of each file, in the order of their paths, the path, the length and the
/// contents. In hexadecimal digits.
pub fn digest(workspace: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    for (name, file) in files(workspace)? {
        let contents = fs::read(&file)?;
        hasher.update(format!("{name}\n{}\n", contents.len()));
        hasher.update(&contents);
    }
    let mut hex = String::with_capacity(DIGEST_LENGTH);
    for byte in hasher.finalize() {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

/// All files that the component is made from, in the order of their paths: each path relative to the workspace,
/// and where it is.
pub fn files(workspace: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for path in FOLDERS_AND_FILES {
        collect(&workspace.join(path), &mut files)?;
    }
    files.sort();
    let name = |file: &Path| file.strip_prefix(workspace).unwrap_or(file).to_string_lossy().replace('\\', "/");
    Ok(files.into_iter().map(|file| (name(&file), file)).collect())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

/// Append the digest to a component, as a custom section (Component Model, Binary.md: id 0, the section's
/// length, the name's length, the name, the contents).
pub fn stamp(mut component: Vec<u8>, digest: &str) -> Vec<u8> {
    component.extend(section_head());
    component.extend(digest.as_bytes());
    component
}

/// The digest that a component ends with.
pub fn stamped_digest(component: &[u8]) -> Option<String> {
    let (rest, digest) = component.split_at_checked(component.len().checked_sub(DIGEST_LENGTH)?)?;
    rest.ends_with(&section_head()).then(|| String::from_utf8_lossy(digest).into_owned())
}

/// All of the section before the digest. Both lengths are below 128, thus one byte each in LEB128.
fn section_head() -> Vec<u8> {
    let length = 1 + SECTION.len() + DIGEST_LENGTH;
    let mut head = vec![0, length as u8, SECTION.len() as u8];
    head.extend(SECTION.as_bytes());
    head
}
