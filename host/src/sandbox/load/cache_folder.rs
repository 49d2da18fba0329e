//! A folder of files with compiled code. Other users cannot write to it, each file appears as a whole or not at all, and
//! the least recently used files make room for new ones.

use std::cmp::Reverse;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::debug;

use crate::process::private_file::only_we_can_write;

/// File modes that give access to the owner only.
const PRIVATE_FOLDER: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// The first character of the names of temporary files. Those of entries start with a hexadecimal digit.
const TEMPORARY_PREFIX: char = '.';

/// The age at which a temporary file counts as abandoned: the process that wrote it has died.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// Why there is no compile cache. The server works without one.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder cannot be created or accessed.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Another user could have put code into the folder.
    #[error(
        "{} belongs to another user, or other users can write to it; remove it, or choose another folder",
        .0.display()
    )]
    NotPrivate(PathBuf),
}

/// A folder whose entries together have at most a certain size.
#[derive(Debug)]
pub(super) struct CacheFolder {
    path: PathBuf,
    /// In bytes.
    size_limit: u64,
}

/// An entry that [`CacheFolder::entries`] has found.
pub(super) struct Entry {
    pub path: PathBuf,
    last_used: SystemTime,
    /// In bytes.
    length: u64,
}

impl CacheFolder {
    /// Opens a folder whose entries may take `size_limit` bytes, and creates it if it does not exist.
    pub fn open(path: &Path, size_limit: u64) -> Result<Self, CacheError> {
        let folder_error = |source| CacheError::Folder { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(path).map_err(folder_error)?;
        let path = path.canonicalize().map_err(folder_error)?;
        let metadata = fs::metadata(&path).map_err(folder_error)?;
        if !only_we_can_write(&metadata) {
            return Err(CacheError::NotPrivate(path));
        }
        fs::set_permissions(&path, Permissions::from_mode(PRIVATE_FOLDER)).map_err(folder_error)?;
        Ok(Self { path, size_limit })
    }

    /// The folder itself, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the entry with this name.
    pub fn entry(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Stores what `write` writes as the entry with this name, and then removes the least recently used entries if
    /// there are too many.
    pub fn store(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let temporary = self.path.join(format!("{TEMPORARY_PREFIX}{name}-{}", std::process::id()));
        let stored = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE_FILE)
            .open(&temporary)
            .and_then(|mut file| write(&mut file))
            // Atomic: other processes see the whole entry or none.
            .and_then(|()| fs::rename(&temporary, self.entry(name)));
        if stored.is_err() {
            // If the disk is full, this frees some of it.
            let _ = fs::remove_file(&temporary);
        }
        if let Err(error) = self.evict(name) {
            debug!("cannot remove old entries of {}: {error}", self.path.display());
        }
        stored
    }

    /// Lists the entries, the most recently used one first. Removes abandoned temporary files.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if !metadata.is_file() {
                continue;
            }
            let last_used = metadata.modified()?;
            if !entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
                entries.push(Entry { path: entry.path(), last_used, length: metadata.len() });
            } else if last_used.elapsed().is_ok_and(|age| age > ABANDONED_AFTER) {
                let _ = fs::remove_file(entry.path());
            }
        }
        entries.sort_by_key(|entry| Reverse(entry.last_used));
        Ok(entries)
    }

    /// Removes the least recently used entries until the rest fits into the limit, but never the entry named `keep`.
    fn evict(&self, keep: &str) -> io::Result<()> {
        let keep = self.entry(keep);
        let entries = self.entries()?;
        let mut total: u64 = entries.iter().map(|entry| entry.length).sum();
        for entry in entries.iter().rev().filter(|entry| entry.path != keep) {
            if total <= self.size_limit {
                break;
            }
            debug!("removing {} from the compile cache", entry.path.display());
            fs::remove_file(&entry.path)?;
            total -= entry.length;
        }
        Ok(())
    }
}

/// Opens an entry. Fails if another user can have written it: one who can write to a folder above the cache can put
/// another in its place.
pub(super) fn open_entry(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if !only_we_can_write(&file.metadata()?) {
        return Err(io::Error::other("it belongs to another user, or other users can write to it"));
    }
    Ok(file)
}

/// Marks an entry as the most recently used one.
pub(super) fn mark_as_used(file: &File) {
    // The modification time is the time of last use; see `CacheFolder::entries`.
    if let Err(error) = file.set_modified(SystemTime::now()) {
        debug!("cannot mark an entry of the compile cache as used: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn entries_that_others_can_write_to_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry");
        fs::write(&path, b"code").unwrap();
        for (mode, is_opened) in [(0o600, true), (0o644, true), (0o664, false), (0o602, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_entry(&path).is_ok(), is_opened, "{mode:o}");
        }
    }

    #[test]
    fn the_least_recently_used_entries_are_evicted_first() {
        const SIZE_LIMIT: u64 = 300;
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFolder::open(folder.path(), SIZE_LIMIT).unwrap();
        let store = |name: &str| cache.store(name, |file| file.write_all(b"new")).unwrap();
        for (age, name) in [(30, "b"), (20, "c"), (40, "a")] {
            let file = File::create(cache.entry(name)).unwrap();
            file.set_len(SIZE_LIMIT / 3).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        store("d");
        let left: Vec<_> = ["a", "b", "c", "d"].into_iter().filter(|name| cache.entry(name).exists()).collect();
        assert_eq!(left, ["b", "c", "d"]);
        mark_as_used(&open_entry(&cache.entry("b")).unwrap());
        File::create(cache.entry("e")).unwrap().set_len(SIZE_LIMIT - 105).unwrap();
        store("f");
        let left: Vec<_> = cache.entries().unwrap().into_iter().map(|entry| entry.path).collect();
        assert!(!left.contains(&cache.entry("c")) && left.contains(&cache.entry("b")), "{left:?}");
        File::create(cache.entry("g")).unwrap().set_len(2 * SIZE_LIMIT).unwrap();
        store("h");
        let left: Vec<_> = cache.entries().unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(left, [cache.entry("h")]);
    }

    #[test]
    fn an_entry_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFolder::open(folder.path(), 100).unwrap();
        assert!(cache.store("a", |_| Err(io::Error::other("disk full"))).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
