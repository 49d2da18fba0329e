//! Opens the database, and opens it again after a failure.
//!
//! After an I/O error, such as a full disk, redb refuses everything until the database is opened again
//! (`StorageError::PreviousIo`). An open database holds a lock on its file. So the attempt after one that fails waits
//! until nothing uses the database, closes it, and opens it again.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{ReadableDatabase as _, TableError};
use tracing::warn;

use super::entries::{ENTRIES, Usage, usage};
use super::error::{Failure, StateError, StoreError};
use crate::process::private_file::is_private;

/// How much of the file is cached. The state is small, and the kernel caches the file as well.
const CACHE_BYTES: usize = 2 << 20;

/// Opens a database with these settings.
pub(super) type Opener = Box<dyn Fn(&redb::Builder) -> Result<redb::Database, redb::Error> + Send + Sync>;

/// The database, open or not.
pub(super) struct Database {
    /// `None` for a database in memory.
    file: Option<PathBuf>,
    opener: Opener,
    /// Locked for reading by each operation.
    open: RwLock<Option<OpenDatabase>>,
}

/// An open database.
pub(super) struct OpenDatabase {
    pub(super) redb: redb::Database,
    /// What the committed entries take up.
    usage: Mutex<Usage>,
    /// Whether it must be opened again.
    has_failed: AtomicBool,
}

impl OpenDatabase {
    pub(super) fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Sets what the entries take up after a commit. Only one transaction writes at a time.
    pub(super) fn set_usage(&self, usage: Usage) {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage;
    }
}

impl Database {
    /// A database in memory, which is created when it is first used.
    pub(super) fn in_memory() -> Self {
        Self::new(None, Box::new(|builder| Ok(builder.create_with_backend(InMemoryBackend::new())?)))
    }

    /// A database in a file, which is opened when it is first used.
    pub(super) fn in_file(path: PathBuf) -> Self {
        Self::new(Some(path.clone()), Box::new(move |builder| Ok(builder.create_with_backend(file_backend(&path)?)?)))
    }

    pub(super) fn new(file: Option<PathBuf>, opener: Opener) -> Self {
        Self { file, opener, open: RwLock::default() }
    }

    /// The file. `None` for a database in memory.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Runs an operation with the open database. Opens it if necessary, which takes as long as reading the whole file.
    pub(super) fn with<T>(&self, operation: impl FnOnce(&OpenDatabase) -> T) -> Result<T, StoreError> {
        loop {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(open) = open.as_ref().filter(|open| !open.has_failed()) {
                return Ok(operation(open));
            }
            drop(open);
            // Waits for the operations that still use the database that has failed.
            let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
            if open.as_ref().is_none_or(OpenDatabase::has_failed) {
                *open = None;
                *open = Some(self.open()?);
            }
        }
    }

    fn open(&self) -> Result<OpenDatabase, StoreError> {
        // redb may panic on a damaged file (`Builder::set_check_integrity_on_open`).
        let opened = catch_unwind(AssertUnwindSafe(|| self.try_open()));
        let path = self.file.clone().unwrap_or_default();
        match opened {
            Ok(opened) => opened.map_err(|error| store_error(path, error)),
            Err(_) => Err(StoreError::Damaged { path, reason: "it cannot be read".to_owned() }),
        }
    }

    /// Runs an operation. If the database fails, logs the reason; the next attempt opens it again.
    pub(super) fn attempt<T>(
        &self,
        operation: impl FnOnce(&OpenDatabase) -> Result<T, Failure>,
    ) -> Result<T, StateError> {
        let attempted = self.with(|open| {
            let reason = match catch_unwind(AssertUnwindSafe(|| operation(open))) {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(Failure::Refused(error))) => return Err(error),
                Ok(Err(Failure::Broken(error))) => error.to_string(),
                Err(_) => "it panicked; the file may be damaged".to_owned(),
            };
            warn!("{self} failed and will be opened again: {reason}");
            open.has_failed.store(true, Ordering::Relaxed);
            Err(StateError::Unavailable)
        });
        attempted.unwrap_or_else(|error| {
            warn!("{error}");
            Err(StateError::Unavailable)
        })
    }

    fn try_open(&self) -> Result<OpenDatabase, redb::Error> {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        prepare((self.opener)(&builder)?)
    }
}

impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(formatter, "the store {}", file.display()),
            None => formatter.write_str("the store in memory"),
        }
    }
}

fn file_backend(path: &Path) -> Result<FileBackend, redb::Error> {
    // Guests may keep secrets here.
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::from(io::ErrorKind::InvalidData).into());
    }
    if !is_private(&metadata) {
        warn!("other users can access the store {path}; run `chmod 600 {path}`", path = path.display());
    }
    Ok(FileBackend::new(file)?)
}

/// Counts what is there. Creates the table in a new database, so that reads find it. Writes nothing else, because the
/// disk may be full.
fn prepare(redb: redb::Database) -> Result<OpenDatabase, redb::Error> {
    let usage = match redb.begin_read()?.open_table(ENTRIES) {
        Ok(table) => usage(&table)?,
        Err(TableError::TableDoesNotExist(_)) => {
            let transaction = redb.begin_write()?;
            transaction.open_table(ENTRIES)?;
            transaction.commit()?;
            Usage::default()
        }
        Err(error) => return Err(error.into()),
    };
    Ok(OpenDatabase { redb, usage: Mutex::new(usage), has_failed: AtomicBool::new(false) })
}

fn store_error(path: PathBuf, error: redb::Error) -> StoreError {
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => StoreError::InUse(path),
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => StoreError::NotAStore(path),
        redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            StoreError::Damaged { path, reason: "it is truncated".to_owned() }
        }
        redb::Error::Io(error) => StoreError::Io { path, error },
        error => StoreError::Damaged { path, reason: error.to_string() },
    }
}
