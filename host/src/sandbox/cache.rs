//! The compile cache: what was compiled once is loaded from disk at the next start.
//!
//! What is in there is machine code, so the folder must be ours alone: one that others can write to would let them run what
//! they like with our rights, and is not used. Disks and SD cards go bad, so each entry has a checksum (`artifact.rs`), and
//! one that is damaged is removed and compiled again.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::process::geteuid;
use tracing::{debug, warn};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::artifact::{self, ArtifactError, ArtifactKey};

/// The most that is kept, in bytes: some hundred small guests, or five of those that bring an interpreter.
const SIZE_LIMIT: u64 = 256 << 20;

/// Ours alone: all may be done by the owner, nothing by others.
const PRIVATE: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// Those who are not the owner and may write, in a file's mode.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// How files begin and end that are being written. The name of an entry begins with a digit of its component's digest.
const UNFINISHED: char = '.';

/// After so long nobody is writing such a file any more.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// Why there is no cache. Everything works without.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder can't be made or looked at.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Somebody else could have put code into it.
    #[error("{} belongs to others or can be written by them; remove it, or choose another folder", .0.display())]
    NotPrivate(PathBuf),
}

/// A folder of compiled guests.
pub struct CompileCache {
    folder: PathBuf,
}

impl CompileCache {
    /// Keep compiled guests in this folder, which is made if it is not there.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Folder { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(PRIVATE).create(folder).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let metadata = fs::metadata(&folder).map_err(failed)?;
        if !is_ours_alone(&metadata) {
            return Err(CacheError::NotPrivate(folder));
        }
        fs::set_permissions(&folder, Permissions::from_mode(PRIVATE)).map_err(failed)?;
        Ok(Self { folder })
    }

    /// What was compiled under this key, if it is there and whole. Fails if the engine refuses it.
    pub(super) fn load(&self, engine: &Engine, key: &ArtifactKey) -> Result<Option<Component>, wasmtime::Error> {
        let path = self.path(key);
        let artifact = match fs::read(&path) {
            Ok(artifact) => artifact,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    warn!("cannot read {} from the compile cache: {error}; compiling again", path.display());
                }
                return Ok(None);
            }
        };
        match artifact::load(engine, key, &artifact) {
            Ok(component) => {
                // The time of last use: what is read last is removed last.
                if let Err(error) = File::open(&path).and_then(|file| file.set_modified(SystemTime::now())) {
                    debug!("cannot mark {} as used: {error}", path.display());
                }
                Ok(Some(component))
            }
            Err(ArtifactError::Damaged) => {
                warn!(
                    "{} in the compile cache is damaged, so it is compiled again; is the disk failing?",
                    path.display()
                );
                if let Err(error) = fs::remove_file(&path) {
                    warn!("cannot remove {}: {error}", path.display());
                }
                Ok(None)
            }
            Err(ArtifactError::Refused(error)) => Err(error),
        }
    }

    /// Keep this artifact. If that fails, the log says so, and it is compiled again at the next start.
    pub(super) fn store(&self, key: &ArtifactKey, artifact: &[u8]) {
        if let Err(error) = self.try_store(key, artifact) {
            warn!("a compiled guest is not kept in {}: {error}", self.folder.display());
        }
        if let Err(error) = self.shrink(key) {
            debug!("cannot look through the compile cache: {error}");
        }
    }

    fn try_store(&self, key: &ArtifactKey, artifact: &[u8]) -> io::Result<()> {
        let unfinished = self.folder.join(format!("{UNFINISHED}{key}-{}", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(PRIVATE_FILE)
            .open(&unfinished)
            .and_then(|mut file| file.write_all(artifact))
            // Whole or not there at all, for others who read it at the same time.
            .and_then(|()| fs::rename(&unfinished, self.path(key)));
        if written.is_err() {
            // A disk that is full has room again.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Remove what was not used for longest until the rest is small enough, but not the entry of this key.
    fn shrink(&self, keep: &ArtifactKey) -> io::Result<()> {
        let keep = keep.to_string();
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if !metadata.is_file() {
                continue;
            }
            let used = metadata.modified()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with(UNFINISHED) {
                entries.push((used, name != keep, metadata.len(), entry.path()));
            } else if used.elapsed().is_ok_and(|age| age > ABANDONED_AFTER) {
                let _ = fs::remove_file(entry.path());
            }
        }
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, _, length, _)| length).sum();
        for (_, is_other, length, path) in entries {
            if total <= SIZE_LIMIT {
                break;
            }
            if is_other {
                debug!("{} is removed from the compile cache", path.display());
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

fn is_ours_alone(folder: &Metadata) -> bool {
    folder.uid() == geteuid().as_raw() && folder.mode() & WRITABLE_BY_OTHERS == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_removed_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(folder.path()).unwrap();
        let engine = Engine::default();
        let key = |name: &str| ArtifactKey::new(name.into(), &engine);
        for (age, name) in [(30, "b"), (20, "c"), (40, "a")] {
            let file = File::create(cache.path(&key(name))).unwrap();
            // Takes no room on the disk.
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
                .all(|entry| { !entry.unwrap().file_name().to_string_lossy().starts_with(UNFINISHED) })
        );
    }
}
