//! A folder of files with compiled code. Other users cannot write to it, each file appears as a whole or not at all, and
//! the least recently used files make room for new ones. Files with other names are not touched: the folder may be any
//! that the user has named.

use std::cmp::Reverse;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::debug;

use crate::process::private_file::only_we_can_write;

/// File modes that give access to the owner only.
const PRIVATE_FOLDER: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// The first character of the names of temporary files. The name of the entry follows.
const TEMPORARY_PREFIX: char = '.';

/// The shortest name of an entry: a SHA-256, in hexadecimal digits.
const SHORTEST_NAME: usize = 64;

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
        "{path} belongs to another user, or other users can write to it; choose another folder, or run `chmod go-w {path}`",
        path = .0.display()
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
        Ok(Self { path: private_folder(path)?, size_limit })
    }

    /// The folder itself, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the entry with this name, which starts with a SHA-256 in hexadecimal digits.
    pub fn entry(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Stores what `write` writes as the entry with this name, and then removes the least recently used entries if
    /// there are too many.
    pub fn store(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        // Random, because several threads and processes may store the same entry, also in containers, where each has the
        // process ID 1.
        let random = RandomState::new().hash_one(name);
        let temporary = self.path.join(format!("{TEMPORARY_PREFIX}{name}-{random:016x}"));
        let stored = OpenOptions::new()
            .write(true)
            .create_new(true)
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
        for file in fs::read_dir(&self.path)? {
            let file = file?;
            let name = file.file_name();
            let Some((name, is_temporary)) = name.to_str().map(without_temporary_prefix) else { continue };
            if !is_entry_name(name) {
                continue;
            }
            // Fails if another process has just removed or renamed the file.
            let Ok(metadata) = file.metadata() else { continue };
            if !metadata.is_file() {
                continue;
            }
            let last_used = metadata.modified()?;
            if !is_temporary {
                entries.push(Entry { path: file.path(), last_used, length: metadata.len() });
            } else if last_used.elapsed().is_ok_and(|age| age > ABANDONED_AFTER) {
                let _ = fs::remove_file(file.path());
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
            match fs::remove_file(&entry.path) {
                // Another process may have removed it.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => total -= entry.length,
            }
        }
        Ok(())
    }
}

/// Creates a folder, unless it exists, and returns its absolute path.
///
/// # Errors
///
/// Fails if other users can write to it.
pub(super) fn private_folder(path: &Path) -> Result<PathBuf, CacheError> {
    let folder_error = |source| CacheError::Folder { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(path).map_err(folder_error)?;
    let path = path.canonicalize().map_err(folder_error)?;
    let metadata = fs::metadata(&path).map_err(folder_error)?;
    if only_we_can_write(&metadata) { Ok(path) } else { Err(CacheError::NotPrivate(path)) }
}

/// Removes the prefix of temporary files, and returns whether there was one.
fn without_temporary_prefix(name: &str) -> (&str, bool) {
    name.strip_prefix(TEMPORARY_PREFIX).map_or((name, false), |name| (name, true))
}

/// Whether a file with this name can be an entry or, after the prefix, a temporary file.
fn is_entry_name(name: &str) -> bool {
    name.len() >= SHORTEST_NAME && name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
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
    use std::fs::Permissions;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Barrier;
    use std::thread;

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

    /// A name of an entry that starts with this digit.
    fn name(digit: char) -> String {
        format!("{digit}{}", "0".repeat(SHORTEST_NAME - 1))
    }

    #[test]
    fn the_least_recently_used_entries_are_evicted_first() {
        const SIZE_LIMIT: u64 = 300;
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFolder::open(folder.path(), SIZE_LIMIT).unwrap();
        let entry = |digit| cache.entry(&name(digit));
        let store = |digit| cache.store(&name(digit), |file| file.write_all(b"new")).unwrap();
        for (age, digit) in [(30, 'b'), (20, 'c'), (40, 'a')] {
            let file = File::create(entry(digit)).unwrap();
            file.set_len(SIZE_LIMIT / 3).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        store('d');
        let left: Vec<_> = ['a', 'b', 'c', 'd'].into_iter().filter(|digit| entry(*digit).exists()).collect();
        assert_eq!(left, ['b', 'c', 'd']);
        mark_as_used(&open_entry(&entry('b')).unwrap());
        File::create(entry('e')).unwrap().set_len(SIZE_LIMIT - 105).unwrap();
        store('f');
        let left: Vec<_> = cache.entries().unwrap().into_iter().map(|entry| entry.path).collect();
        assert!(!left.contains(&entry('c')) && left.contains(&entry('b')), "{left:?}");
        File::create(entry('7')).unwrap().set_len(2 * SIZE_LIMIT).unwrap();
        store('8');
        let left: Vec<_> = cache.entries().unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(left, [entry('8')]);
    }

    /// A cache in the user's home would have removed them.
    #[test]
    fn files_with_other_names_are_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let others = [".profile", ".env", "video.mp4", "notes", ".0123", &"x".repeat(SHORTEST_NAME)];
        let old = SystemTime::now() - 2 * ABANDONED_AFTER;
        let create = |name: &str| {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_len(1000).unwrap();
            file.set_modified(old).unwrap();
        };
        others.into_iter().for_each(create);
        let abandoned = format!("{TEMPORARY_PREFIX}{}-0123456789abcdef", name('a'));
        create(&abandoned);
        create(&name('b'));
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let cache = CacheFolder::open(folder.path(), 100).unwrap();
        cache.store(&name('c'), |file| file.write_all(b"new")).unwrap();
        for other in others {
            assert!(folder.path().join(other).exists(), "{other}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), others.len() + 1, "the cache's own files stay");
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o755);
    }

    /// They shared a temporary file, and one renamed what the other was writing.
    #[test]
    fn several_threads_may_store_the_same_entry() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFolder::open(folder.path(), 1 << 20).unwrap();
        let all_write = Barrier::new(2);
        let store = || {
            cache.store(&name('a'), |file| {
                file.write_all(b"the ")?;
                all_write.wait();
                file.write_all(b"entry")
            })
        };
        thread::scope(|scope| {
            let stored = [scope.spawn(store), scope.spawn(store)].map(|thread| thread.join().unwrap());
            assert!(stored.iter().all(Result::is_ok), "{stored:?}");
        });
        assert_eq!(fs::read(cache.entry(&name('a'))).unwrap(), b"the entry");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_entry_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFolder::open(folder.path(), 100).unwrap();
        assert!(cache.store(&name('a'), |_| Err(io::Error::other("disk full"))).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
