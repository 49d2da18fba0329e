//! The compile cache: stores artifacts on disk, so that a known guest need not be compiled again at the next start, and
//! the functions they consist of, so that a guest that was changed a little is compiled sooner (`function_cache.rs`).
//!
//! The cache contains machine code. If other users could write to its folder, they could run any code as our user, so
//! such a folder is not used. Disks and SD cards fail, so each entry has a checksum (`artifact.rs`). Damaged entries
//! are removed and compiled again.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tracing::warn;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::artifact::{self, ArtifactError, ArtifactKey};
use super::cache_folder::{CacheError, CacheFolder, mark_as_used, open_entry, private_folder};

/// The largest size of all artifacts together, in bytes: about a hundred small guests, or five with an interpreter.
const SIZE_LIMIT: u64 = 256 << 20;

/// The folders of artifacts and of compiled functions, in that of the cache.
const ARTIFACTS: &str = "artifacts";
const FUNCTIONS: &str = "functions";

/// A folder of artifacts.
pub struct CompileCache {
    artifacts: CacheFolder,
    functions: PathBuf,
}

impl CompileCache {
    /// Opens the folder of a cache, and creates it if it does not exist.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        let folder = private_folder(folder)?;
        let artifacts = CacheFolder::open(&folder.join(ARTIFACTS), SIZE_LIMIT)?;
        Ok(Self { artifacts, functions: folder.join(FUNCTIONS) })
    }

    /// The folder in which the compiler stores functions. It may not exist yet.
    pub(super) fn functions(&self) -> &Path {
        &self.functions
    }

    /// Loads the artifact of this key. Returns `None` if there is no such entry, or if it is damaged. Fails if the
    /// engine refuses it.
    pub(super) fn load(&self, engine: &Engine, key: &ArtifactKey) -> Result<Option<Component>, wasmtime::Error> {
        let path = self.artifacts.entry(&key.to_string());
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
                mark_as_used(&file);
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
        if let Err(error) = self.artifacts.store(&key.to_string(), |file| file.write_all(artifact)) {
            warn!("cannot store a compiled guest in {}: {error}", self.artifacts.path().display());
        }
    }
}

fn read(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let mut file = open_entry(path)?;
    let mut artifact = Vec::new();
    file.read_to_end(&mut artifact)?;
    Ok((file, artifact))
}
