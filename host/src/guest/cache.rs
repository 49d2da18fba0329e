//! The compile cache: what was compiled once is loaded from disk at the next start.
//!
//! What is in there is machine code and is run as it is found. So the folder must be ours alone: one that
//! others can write to would let them run what they like with our rights, and is not used.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use wasmtime::{Cache, CacheConfig};

use super::component::one_line;

/// Ours alone: all may be done by the owner, nothing by others.
const PRIVATE: u32 = 0o700;

/// Those who are not the owner and may write, in a file's mode.
const WRITABLE_BY_OTHERS: u32 = 0o022;

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
    /// wasmtime refuses.
    #[error("{0}")]
    Refused(String),
}

/// Keep what is compiled in this folder, which is made if it is not there. When it has grown beyond 512 MiB, wasmtime
/// removes what was not used for longest; it looks once an hour.
pub fn open(folder: &Path) -> Result<Cache, CacheError> {
    let failed = |source| CacheError::Folder { path: folder.to_owned(), source };
    DirBuilder::new().recursive(true).mode(PRIVATE).create(folder).map_err(failed)?;
    // wasmtime wants a path that stays true whatever the current folder is.
    let folder = folder.canonicalize().map_err(failed)?;
    let metadata = fs::metadata(&folder).map_err(failed)?;
    if !is_ours_alone(&metadata) {
        return Err(CacheError::NotPrivate(folder));
    }
    // wasmtime makes what is in there as the umask says.
    fs::set_permissions(&folder, Permissions::from_mode(PRIVATE)).map_err(failed)?;
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config).map_err(|error| CacheError::Refused(one_line(&error)))
}

fn is_ours_alone(folder: &Metadata) -> bool {
    folder.uid() == geteuid().as_raw() && folder.mode() & WRITABLE_BY_OTHERS == 0
}
