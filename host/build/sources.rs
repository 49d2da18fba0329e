//! The sources of the guest.
//!
//! A component of the guest carries the SHA-256 digest of its sources in a custom section. This tells whether the
//! prebuilt copy matches the sources next to it. Both the build script and a test use this module.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The files and folders that the component is made of, relative to the workspace.
const SOURCES: [&str; 3] = ["guest/Cargo.toml", "guest/src", WIT];

/// The WIT that the guest is compiled against, with its dependencies, relative to the workspace.
pub const WIT: &str = "wit/server";

/// The prebuilt copy, relative to the workspace.
pub const PREBUILT: &str = "guest/prebuilt.wasm";

/// The name of the custom section.
const SECTION: &str = "hotshoe-sources";

/// The length of a SHA-256 digest in hexadecimal digits.
const DIGEST_LENGTH: usize = 64;

/// Returns the SHA-256 digest of all sources in hexadecimal digits: of the path, length and contents of each file, in
/// the order of the paths.
pub fn digest(workspace: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    for (name, file) in files(workspace)? {
        let contents = fs::read(&file)?;
        hasher.update(format!("{name}\n{}\n", contents.len()));
        hasher.update(&contents);
    }
    let mut hex = String::with_capacity(DIGEST_LENGTH);
    for byte in hasher.finalize() {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

/// Returns the path of every source file, relative to the workspace and absolute, in the order of the paths.
pub fn files(workspace: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for path in SOURCES {
        collect(&workspace.join(path), &mut files)?;
    }
    files.sort();
    let name = |file: &Path| file.strip_prefix(workspace).unwrap_or(file).to_string_lossy().replace('\\', "/");
    let files = files.into_iter().map(|file| (name(&file), file));
    // The WIT packages also contain `wkg.toml`, which only publishing needs.
    Ok(files.filter(|(name, _)| !name.starts_with(WIT) || name.ends_with(".wit")).collect())
}

/// Adds this file, or all files in this folder, in any order.
pub fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    // Symbolic links lead from `wit/server/deps` to the packages. WIT tools do not read the dependencies of
    // dependencies.
    let is_dependency = path.parent().is_some_and(|parent| parent.ends_with("deps"));
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        if !(is_dependency && entry.ends_with("deps")) {
            collect(&entry, files)?;
        }
    }
    Ok(())
}

/// Appends the digest to a component, as a custom section (Component Model, Binary.md: the id 0, the length of the
/// section, the length of the name, the name, the contents).
pub fn stamp(mut component: Vec<u8>, digest: &str) -> Vec<u8> {
    component.extend(section_header());
    component.extend(digest.as_bytes());
    component
}

/// Returns the digest at the end of a component, or `None` if it was not stamped.
pub fn stamped_digest(component: &[u8]) -> Option<String> {
    let (rest, digest) = component.split_at_checked(component.len().checked_sub(DIGEST_LENGTH)?)?;
    rest.ends_with(&section_header()).then(|| String::from_utf8_lossy(digest).into_owned())
}

/// Everything in the section before the digest. Both lengths are below 128, so each is one byte in LEB128.
fn section_header() -> Vec<u8> {
    let length = 1 + SECTION.len() + DIGEST_LENGTH;
    let mut header = vec![0, length as u8, SECTION.len() as u8];
    header.extend(SECTION.as_bytes());
    header
}
