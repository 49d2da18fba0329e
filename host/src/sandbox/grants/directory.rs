//! The directory that guests may read: its files are at `/` for them (`wasi:filesystem`). They can change nothing.
//!
//! The directory is opened once, and all instances share it. The host opens files itself (`sandbox/imports/files/`);
//! this module decides which ones, and how many at a time.

use std::any::Any;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::fd::AsFd;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use serde::{Serialize, Serializer};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::{WasiFilesystemCtx, WasiFilesystemView as _};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

use crate::process::open_files;
use crate::sandbox::wasmtime_error::one_line;

/// Where guests find the directory. It is also the working directory of C libraries.
const GUEST_PATH: &str = "/";

/// The most files and directories that an instance may hold open, for each request that it handles at the same time. A
/// page needs one at a time.
pub const MAX_OPEN_FILES: usize = 16;

/// How often a path is resolved again because a directory was renamed meanwhile (openat2(2), `EAGAIN`).
const MAX_RESOLUTIONS: usize = 8;

/// Why a directory cannot be granted.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It cannot be opened, or is not a directory.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The kernel cannot keep paths inside a directory.
    #[error("reading files needs the system call openat2 of Linux 5.6: {0}")]
    Unsupported(io::Error),
    /// wasmtime cannot use it.
    #[error("cannot open {}: {reason}", path.display())]
    Wasi {
        /// The path.
        path: PathBuf,
        /// The error of wasmtime.
        reason: String,
    },
}

/// A directory that guests may read. Clones share it.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    path: PathBuf,
    context: WasiFilesystemCtx,
    open_files: OpenFiles,
}

impl Directory {
    /// Opens a directory. Call it after the limit on open files was raised. Blocks briefly.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let failed = |source| DirectoryError::Open { path: path.to_owned(), source };
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        let opened = File::open(path).map_err(failed)?;
        resolve(&opened, Path::new("."), OFlags::PATH).map_err(DirectoryError::Unsupported)?;
        let wasi = |error: wasmtime::Error| DirectoryError::Wasi { path: path.to_owned(), reason: one_line(&error) };
        let mut builder = WasiCtx::builder();
        builder.preopened_dir(path, GUEST_PATH, FsPerms::ReadOnly).map_err(wasi)?;
        let mut opener = Opener { wasi: builder.build(), table: ResourceTable::new() };
        let context = opener.filesystem().ctx.clone();
        let open_files = OpenFiles::new(open_files::for_guests());
        Ok(Self(Arc::new(Inner { path: path.to_owned(), context, open_files })))
    }

    /// The file system of an instance.
    pub(in crate::sandbox) fn context(&self) -> WasiFilesystemCtx {
        self.0.context.clone()
    }

    /// The open files of all instances.
    pub(in crate::sandbox) fn open_files(&self) -> &OpenFiles {
        &self.0.open_files
    }
}

/// Opens a regular file or a directory beneath `directory` for reading. Blocks only as long as the file system does: it
/// opens neither named pipes, which would wait for a writer, nor sockets and devices. Paths that lead out of the
/// directory, through `..`, `/` or symbolic links, fail with `EPERM`.
pub(in crate::sandbox) fn open_beneath(directory: &File, path: &str, follow_symlink: bool) -> io::Result<File> {
    let path = Path::new(path);
    let no_follow = if follow_symlink { OFlags::empty() } else { OFlags::NOFOLLOW };
    // Look before opening, since opening a device can have an effect.
    check_type(&resolve(directory, path, no_follow | OFlags::PATH)?)?;
    let file = resolve(directory, path, no_follow | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    // The path may lead to another file by now.
    check_type(&file)?;
    Ok(file)
}

fn resolve(directory: &File, path: &Path, flags: OFlags) -> io::Result<File> {
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..MAX_RESOLUTIONS {
        match openat2(directory, path, flags | OFlags::CLOEXEC, Mode::empty(), beneath) {
            Ok(file) => return Ok(file.into()),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            // The path leads out of the directory.
            Err(rustix::io::Errno::XDEV) => return Err(rustix::io::Errno::PERM.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Err(rustix::io::Errno::BUSY.into())
}

fn check_type(file: impl AsFd) -> io::Result<()> {
    match FileType::from_raw_mode(fstat(file)?.st_mode) {
        FileType::RegularFile | FileType::Directory => Ok(()),
        FileType::Symlink => Err(rustix::io::Errno::LOOP.into()),
        _ => Err(rustix::io::Errno::PERM.into()),
    }
}

/// Limits how many files are open. A guest can drop a descriptor and keep a stream of its file, so this counts the
/// files themselves.
pub(in crate::sandbox) struct OpenFiles {
    limit: usize,
    /// Files, and places of files that are being opened.
    counted: Mutex<Vec<Weak<dyn Any + Send + Sync>>>,
}

/// The place of a file that is being opened. It counts until it is dropped.
pub(in crate::sandbox) type Place = Arc<dyn Any + Send + Sync>;

impl OpenFiles {
    pub(in crate::sandbox) fn new(limit: usize) -> Self {
        Self { limit, counted: Mutex::default() }
    }

    /// Counts a file that is about to be opened, until the place is dropped. Returns `None` if there are too many.
    pub(in crate::sandbox) fn reserve(&self) -> Option<Place> {
        let place: Place = Arc::new(());
        self.count(Arc::downgrade(&place)).then_some(place)
    }

    /// Counts a file until it is closed. Returns `false` if there are too many; it must be closed then.
    #[must_use]
    pub(in crate::sandbox) fn add(&self, file: &Arc<File>) -> bool {
        let file: Weak<File> = Arc::downgrade(file);
        self.count(file)
    }

    fn count(&self, new: Weak<dyn Any + Send + Sync>) -> bool {
        // No code that holds the lock can leave the list inconsistent.
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.retain(|one| one.strong_count() > 0);
        let has_room = counted.len() < self.limit;
        if has_room {
            counted.push(new);
        }
        has_room
    }
}

/// Gives access to the file system of a context.
struct Opener {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Opener {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "directory {}", self.0.path.display())
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Directory").field(&self.0.path).finish()
    }
}

impl Serialize for Directory {
    /// Serializes the path.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.path.display())
    }
}
