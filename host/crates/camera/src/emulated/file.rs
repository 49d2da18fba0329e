//! Reads the JPEG files of a folder, and notices when they change.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use rustix::fs::OFlags;

use crate::frame::JpegImage;
use crate::jpeg::{self, JpegError, Options};

/// The largest file accepted, in MiB: several times the largest picture of a phone.
const MAX_FILE_MIB: u64 = 64;

/// How long a file must be unchanged before it counts as complete. It may still be written to, and file system clocks
/// are so coarse that two changes in a row can look like one.
const QUIET_TIME: Duration = Duration::from_secs(2);

/// Why a file is skipped.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("it is a link to a file that does not exist")]
    DanglingLink,
    #[error("it is {0}, not a regular file")]
    NotRegular(&'static str),
    #[error("it is larger than {MAX_FILE_MIB} MiB")]
    TooLarge,
    #[error("the pictures of its folder are kept in memory and may take at most {} MiB", .0 >> 20)]
    FolderTooLarge(u64),
    #[error("it is not a complete JPEG image: {0}")]
    InvalidJpeg(#[from] JpegError),
    #[error("it was changed while it was read")]
    Changing,
    #[error("cannot read it: {0}")]
    Unreadable(#[from] io::Error),
}

/// Metadata that change whenever a file or a folder does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct FileStamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The state of a file or a folder when it was last checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileState {
    stamp: FileStamp,
    /// When this state was first seen.
    first_seen: Instant,
    /// When the file was last checked.
    pub(super) checked: Instant,
}

impl FileState {
    /// Combines fresh metadata with the previous state.
    pub(super) fn new(metadata: &Metadata, previous: Option<Self>) -> Self {
        let (stamp, now) = (FileStamp::from_metadata(metadata), Instant::now());
        let first_seen =
            previous.filter(|previous| previous.stamp == stamp).map_or(now, |previous| previous.first_seen);
        Self { stamp, first_seen, checked: now }
    }

    /// Whether nothing has changed since.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.stamp == other.stamp
    }

    /// The size of the file in bytes.
    pub(super) fn length(&self) -> u64 {
        self.stamp.length
    }

    /// Whether the file may be in the middle of a change. Does not rely on the file's own time alone, because the clock
    /// of a file server may be wrong.
    pub(super) fn is_recent(&self) -> bool {
        let (seconds, nanoseconds) = self.stamp.changed;
        let changed = Duration::new(seconds.try_into().unwrap_or(0), nanoseconds.try_into().unwrap_or(0));
        let age = SystemTime::UNIX_EPOCH.checked_add(changed).and_then(|changed| changed.elapsed().ok());
        self.first_seen.elapsed().max(age.unwrap_or_default()) < QUIET_TIME
    }
}

/// Returns the metadata of a regular file without opening it: opening a pipe may block, and opening a device may have
/// side effects. Returns `None` if there is nothing at the path.
pub(super) fn inspect(path: &Path) -> Result<Option<Metadata>, FileError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(metadata) => Err(FileError::NotRegular(type_name(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::symlink_metadata(path).is_ok() {
                Err(FileError::DanglingLink)
            } else {
                Ok(None)
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn type_name(metadata: &Metadata) -> &'static str {
    match metadata.file_type() {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Reads an image. The file must have the given state before and after. Together with the `others` bytes of the folder,
/// the image may have at most `limit` bytes.
pub(super) fn read(path: &Path, state: &FileState, others: u64, limit: u64) -> Result<JpegImage, FileError> {
    // In case the file has been replaced by a pipe or a terminal: neither block, nor acquire a controlling terminal.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileError::NotRegular(type_name(&metadata)));
    }
    if metadata.len() > MAX_FILE_MIB << 20 {
        return Err(FileError::TooLarge);
    }
    if others.saturating_add(metadata.len()) > limit {
        return Err(FileError::FolderTooLarge(limit));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // Stops at this length even if the file grows.
    (&file).take(metadata.len()).read_to_end(&mut bytes)?;
    if FileStamp::from_metadata(&file.metadata()?) != state.stamp {
        return Err(FileError::Changing);
    }
    if state.is_recent() {
        // A file that is being overwritten in place is half old and half new, and can look complete from outside.
        let info = jpeg::validate(&bytes, Options::default())?;
        jpeg::check_scan(&bytes, &info)?;
    }
    Ok(JpegImage::new(Bytes::from(bytes))?)
}
