//! The compile cache: stores artifacts on disk, so that a known guest need not be compiled again at the next start.
//!
//! The cache contains machine code. If other users could write to its folder, they could run any code as our user, so
//! such a folder is not used. Disks and SD cards fail, so each entry has a checksum (`artifact.rs`). Damaged entries
//! are removed and compiled again.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::{debug, warn};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::artifact::{self, ArtifactError, ArtifactKey};
use crate::process::private_file::only_we_can_write;

/// The largest size of all entries together, in bytes: about a hundred small guests, or five with an interpreter.
const SIZE_LIMIT: u64 = 256 << 20;

/// File modes that give access to the owner only.
const PRIVATE_FOLDER: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// The first character of temporary files. Entries start with a hexadecimal digit of their component's digest.
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

/// A folder of artifacts.
pub struct CompileCache {
    folder: PathBuf,
}

impl CompileCache {
    /// Opens a folder, and creates it if it does not exist.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        let folder_error = |source| CacheError::Folder { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(folder).map_err(folder_error)?;
        let folder = folder.canonicalize().map_err(folder_error)?;
        let metadata = fs::metadata(&folder).map_err(folder_error)?;
        if !only_we_can_write(&metadata) {
            return Err(CacheError::NotPrivate(folder));
        }
        fs::set_permissions(&folder, Permissions::from_mode(PRIVATE_FOLDER)).map_err(folder_error)?;
        Ok(Self { folder })
    }

    /// Loads the artifact of this key. Returns `None` if there is no such entry, or if it is damaged. Fails if the
    /// engine refuses it.
    pub(super) fn load(&self, engine: &Engine, key: &ArtifactKey) -> Result<Option<Component>, wasmtime::Error> {
        let path = self.path(key);
        let (file, artifact) = match read(&path) {
            Ok(entry) => entry,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    warn!("cannot read {} from the compile cache: {error}; compiling again", path.display());
                }
                return Ok(None);
            }
        };
        match artifact::load(engine, key, &artifact) {
            Ok(component) => {
                // The modification time is the time of last use; see `evict`.
                if let Err(error) = file.set_modified(SystemTime::now()) {
                    debug!("cannot mark {} as used: {error}", path.display());
                }
                Ok(Some(component))
            }
            Err(ArtifactError::Damaged) => {
                warn!("{} in the compile cache is damaged, compiling again; check the disk", path.display());
                if let Err(error) = fs::remove_file(&path) {
                    warn!("cannot remove {}: {error}", path.display());
                }
                Ok(None)
            }
            Err(ArtifactError::Refused(error)) => Err(error),
        }
    }

    /// Stores an artifact. If that fails, logs a warning; the component is compiled again at the next start.
    pub(super) fn store(&self, key: &ArtifactKey, artifact: &[u8]) {
        if let Err(error) = self.try_store(key, artifact) {
            warn!("cannot store a compiled guest in {}: {error}", self.folder.display());
        }
        if let Err(error) = self.evict(key) {
            debug!("cannot remove old entries of the compile cache: {error}");
        }
    }

    fn try_store(&self, key: &ArtifactKey, artifact: &[u8]) -> io::Result<()> {
        let temporary = self.folder.join(format!("{TEMPORARY_PREFIX}{key}-{}", std::process::id()));
        let stored = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE_FILE)
            .open(&temporary)
            .and_then(|mut file| file.write_all(artifact))
            // Atomic: other processes see the whole entry or none.
            .and_then(|()| fs::rename(&temporary, self.path(key)));
        if stored.is_err() {
            // If the disk is full, this frees some of it.
            let _ = fs::remove_file(&temporary);
        }
        stored
    }

    /// Removes the least recently used entries until the rest fits into [`SIZE_LIMIT`], but never the entry of `keep`.
    /// Also removes abandoned temporary files.
    fn evict(&self, keep: &ArtifactKey) -> io::Result<()> {
        let keep = keep.to_string();
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if !metadata.is_file() {
                continue;
            }
            let last_used = metadata.modified()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with(TEMPORARY_PREFIX) {
                entries.push((last_used, name != keep, metadata.len(), entry.path()));
            } else if last_used.elapsed().is_ok_and(|age| age > ABANDONED_AFTER) {
                let _ = fs::remove_file(entry.path());
            }
        }
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, _, length, _)| length).sum();
        for (_, is_evictable, length, path) in entries {
            if total <= SIZE_LIMIT {
                break;
            }
            if is_evictable {
                debug!("removing {} from the compile cache", path.display());
                fs::remove_file(path)?;
                total -= length;
            }
        }
        Ok(())
    }

    fn path(&self, key: &ArtifactKey) -> PathBuf {
        self.folder.join(key.to_string())
    }
}

/// Reads an entry. Fails if another user can have written it: one who can write to a folder above the cache can put
/// another in its place.
fn read(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let mut file = File::open(path)?;
    if !only_we_can_write(&file.metadata()?) {
        return Err(io::Error::other("it belongs to another user, or other users can write to it"));
    }
    let mut artifact = Vec::new();
    file.read_to_end(&mut artifact)?;
    Ok((file, artifact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_others_can_write_to_are_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry");
        fs::write(&path, b"code").unwrap();
        for (mode, is_read) in [(0o600, true), (0o644, true), (0o664, false), (0o602, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path).is_ok_and(|(_, artifact)| artifact == b"code"), is_read, "{mode:o}");
        }
    }

    #[test]
    fn the_least_recently_used_entries_are_evicted_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(folder.path()).unwrap();
        let engine = Engine::default();
        let key = |name: &str| ArtifactKey::new(name.into(), &engine);
        for (age, name) in [(30, "b"), (20, "c"), (40, "a")] {
            let file = File::create(cache.path(&key(name))).unwrap();
            // A sparse file, which takes no disk space.
            file.set_len(SIZE_LIMIT / 3).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        cache.store(&key("d"), b"new");
        let left: Vec<_> = ["a", "b", "c", "d"].into_iter().filter(|name| cache.path(&key(name)).exists()).collect();
        assert_eq!(left, ["b", "c", "d"]);
        File::create(cache.path(&key("e"))).unwrap().set_len(2 * SIZE_LIMIT).unwrap();
        cache.store(&key("f"), b"new");
        assert!(cache.path(&key("f")).exists() && !cache.path(&key("b")).exists());
        assert!(
            fs::read_dir(folder.path())
                .unwrap()
                .all(|entry| { !entry.unwrap().file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) })
        );
    }
}
