//! Opens files and lists directories, within limits.

use std::fs;
use std::io;
use std::sync::Arc;

use rustix::fs::FileType;
use rustix::io::Errno;
use tokio::task::spawn_blocking;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::filesystem::{Descriptor, Dir, File};
use wasmtime_wasi::p2::ReaddirIterator;
use wasmtime_wasi::{FsPerms, OpenMode};

use crate::sandbox::grants::{MAX_OPEN_FILES, OpenFiles, Place, open_beneath};
use crate::sandbox::state::ComponentState;

/// The most directories that an instance may be listing, for each request that it handles at the same time. The host
/// holds all names of each.
const MAX_LISTINGS: usize = 4;

/// The most entries of a directory that can be listed. The names take up to 256 bytes each.
const MAX_ENTRIES: usize = 10_000;

/// Why a call fails.
pub(super) enum Failure {
    /// The instance has too many files open, or lists too many directories. Linux has no such error.
    Quota,
    /// The system's reason.
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Self::System(error.into())
    }
}

/// What to open.
pub(super) struct OpenRequest {
    pub(super) path: String,
    pub(super) follow_symlink: bool,
    pub(super) directory_only: bool,
    /// Whether the guest wants to write, create or truncate. It never may.
    pub(super) writes: bool,
}

/// Returns the directory behind a descriptor. Traps if the guest does not hold the descriptor.
pub(super) fn directory(
    table: &ResourceTable,
    descriptor: &Resource<Descriptor>,
) -> wasmtime::Result<Result<Arc<fs::File>, Failure>> {
    Ok(match table.get(descriptor)? {
        Descriptor::Dir(directory) => Ok(directory.dir.clone()),
        Descriptor::File(_) => Err(Errno::NOTDIR.into()),
    })
}

/// The places of a file that is being opened: among the files of its instance, and among those of all instances.
pub(super) struct Places {
    _own: Place,
    _granted: Place,
}

/// Reserves the places of a file, so that calls in progress count as well, even if they are cancelled.
pub(super) fn reserve(state: &mut impl ComponentState) -> Result<Places, Failure> {
    let own = own_files(state).reserve().ok_or(Failure::Quota)?;
    let granted = state.grants().directory.as_ref().and_then(|directory| directory.open_files().reserve());
    Ok(Places { _own: own, _granted: granted.ok_or(Failure::Quota)? })
}

/// The files that the instance has open.
fn own_files(state: &mut impl ComponentState) -> &OpenFiles {
    let limit = MAX_OPEN_FILES * state.max_live_requests() as usize;
    state.open_files().get_or_insert_with(|| OpenFiles::new(limit))
}

/// A file or directory that was opened, and its places.
pub(super) struct Opened {
    descriptor: Descriptor,
    places: Places,
}

/// Opens a file or directory to read.
pub(super) async fn open(directory: Arc<fs::File>, request: OpenRequest, places: Places) -> Result<Opened, Failure> {
    let OpenRequest { path, follow_symlink, directory_only, writes } = request;
    if writes {
        return Err(Errno::PERM.into());
    }
    let (file, is_directory, places) = blocking(move || {
        let file = open_beneath(&directory, &path, follow_symlink)?;
        let is_directory = file.metadata()?.is_dir();
        Ok((file, is_directory, places))
    })
    .await?;
    let descriptor = if is_directory {
        Descriptor::Dir(Dir::new(file, FsPerms::ReadOnly, OpenMode::READ, false))
    } else if directory_only {
        return Err(Errno::NOTDIR.into());
    } else {
        Descriptor::File(File::new(file, FsPerms::ReadOnly, OpenMode::READ, false))
    };
    Ok(Opened { descriptor, places })
}

/// Gives an opened file to the guest.
pub(super) fn give(
    state: &mut impl ComponentState,
    opened: Opened,
) -> wasmtime::Result<Result<Resource<Descriptor>, Failure>> {
    let Opened { descriptor, places } = opened;
    let file = match &descriptor {
        Descriptor::File(file) => &file.file,
        Descriptor::Dir(directory) => &directory.dir,
    };
    // From here on, the file itself counts. Another call may take its place first.
    drop(places);
    let has_room = own_files(state).add(file);
    let granted = state.grants().directory.as_ref().map(|directory| directory.open_files());
    if !has_room || !granted.is_some_and(|files| files.add(file)) {
        return Ok(Err(Failure::Quota));
    }
    Ok(Ok(state.ctx().table.push(descriptor)?))
}

/// Whether the instance may list another directory. Counts those of both versions of WASI.
pub(super) fn may_list(state: &mut impl ComponentState) -> bool {
    let iterators = state.ctx().table.iter_mut().filter(|resource| resource.is::<ReaddirIterator>()).count();
    iterators + state.directory_streams() < MAX_LISTINGS * state.max_live_requests() as usize
}

/// Lists a directory: the type and name of each entry, except `.` and `..`. Drops `count` when it has been read, even if
/// this future is dropped before.
pub(super) async fn list(
    directory: Arc<fs::File>,
    count: impl Send + 'static,
) -> Result<Vec<(FileType, String)>, Failure> {
    let list = move || {
        let mut entries = Vec::new();
        for_each_entry(&directory, |kind, name| {
            // The strings of WIT are Unicode.
            let name = String::from_utf8(name.to_vec()).map_err(|_| Errno::ILSEQ)?;
            entries.push((kind, name));
            Ok(())
        })?;
        drop(count);
        Ok(entries)
    };
    Ok(blocking(list).await?)
}

/// Fails if a directory has too many entries to be listed.
pub(super) async fn check_size(directory: Arc<fs::File>) -> Result<(), Failure> {
    Ok(blocking(move || for_each_entry(&directory, |_, _| Ok(()))).await?)
}

/// Calls a function with the type and name of each entry of a directory, except `.` and `..`.
fn for_each_entry(directory: &fs::File, mut function: impl FnMut(FileType, &[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut left = MAX_ENTRIES;
    for entry in rustix::fs::Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        left = left.checked_sub(1).ok_or(Errno::OVERFLOW)?;
        function(entry.file_type(), name)?;
    }
    Ok(())
}

/// Runs `function` in a thread that may block.
async fn blocking<T: Send + 'static>(function: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    // Fails only if the thread panics.
    spawn_blocking(function).await.map_err(io::Error::from)?
}
