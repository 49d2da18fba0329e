//! The pictures of a folder, kept up to date while they are played.
//!
//! Nothing is watched: before a picture is shown, the folder and the file are asked when they were changed last (one
//! `stat` each), which costs microseconds, works on every file system, and happens on the capture thread alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use rustix::fs::OFlags;
use tracing::{debug, warn};

use super::natural::NaturalName;
use crate::error::SourceError;
use crate::frame::JpegImage;
use crate::jpeg::{self, JpegError, Options};

/// How many bytes a folder's pictures may have together, since all of them are held in memory: 400 pictures of a full HD
/// camera.
pub(super) const FOLDER_LIMIT: u64 = 256 << 20;

/// How large a file may be, in units of 1,048,576 bytes: several times the largest picture of a phone.
const FILE_LIMIT_MIB: u64 = 64;

/// The most names that are looked at, so that a folder with millions of files cannot fill the memory.
const NAME_LIMIT: usize = 100_000;

/// How long a file must have been left alone before it is taken at its word. Before that it may still be being written,
/// and the clocks of file systems are so coarse that two changes in a row can look like one.
const QUIET: Duration = Duration::from_secs(2);

/// How often a folder that was just changed is listed again, and files without a picture are looked at again.
const RECHECK: Duration = Duration::from_millis(250);

/// How many files without a picture are named in the log at once.
const WARNINGS: usize = 10;

/// A folder of pictures.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// How many bytes the pictures may have together.
    limit: u64,
    /// What the folder was when it was listed last.
    listed: Option<Seen>,
    /// When files without a picture were looked at last.
    rechecked: Option<Instant>,
    files: BTreeMap<NaturalName, File>,
    /// The names of all files with a picture, in order.
    playlist: Vec<NaturalName>,
    /// Its length, for those who may not wait for the disk.
    length: Arc<AtomicUsize>,
    /// The length of all pictures in bytes.
    weight: u64,
    /// Files without a picture that the log has not been told of, with the reasons.
    unusable: Vec<(PathBuf, BadFile)>,
    /// Whether the playlist is to be made again.
    is_stale: bool,
    /// Whether the log has been told that there are too many names.
    is_crowded: bool,
}

/// A file of the folder.
#[derive(Debug)]
struct File {
    /// What it was when it was read last; none if it could not be asked.
    seen: Option<Seen>,
    image: Option<JpegImage>,
    /// Whether it is to be read again although nothing seems to have changed: it was just written to, or could not be
    /// read.
    is_provisional: bool,
    /// Whether the log was told why it is skipped.
    is_reported: bool,
}

/// What a file or a folder was at some moment.
#[derive(Clone, Copy, Debug)]
struct Seen {
    stamp: Stamp,
    /// When it was first seen like this.
    since: Instant,
    /// When it was looked at last.
    at: Instant,
}

/// What changes when a file or a folder does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Why a file is not shown.
#[derive(Debug, thiserror::Error)]
enum BadFile {
    #[error("it is a link to a file that does not exist")]
    DanglingLink,
    #[error("it is {0} and no regular file")]
    NotRegular(&'static str),
    #[error("it is larger than {FILE_LIMIT_MIB} MiB")]
    TooLarge,
    #[error("the pictures of its folder, all of which are held in memory, have more than {} MiB", .0 >> 20)]
    NoRoom(u64),
    #[error("it is not a whole JPEG image: {0}")]
    InvalidJpeg(#[from] JpegError),
    #[error("it was changed while it was read")]
    Changing,
    #[error("cannot read it: {0}")]
    Unreadable(#[from] io::Error),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Seen {
    /// What it is now, and what it was before.
    fn new(metadata: &Metadata, before: Option<Self>) -> Self {
        let (stamp, now) = (Stamp::of(metadata), Instant::now());
        let since = before.filter(|before| before.stamp == stamp).map_or(now, |before| before.since);
        Self { stamp, since, at: now }
    }

    /// Whether it may be in the middle of a change. The clock of another machine, which may have stamped the file, is not
    /// trusted to be right.
    fn is_recent(&self) -> bool {
        let (seconds, nanoseconds) = self.stamp.changed;
        let changed = Duration::new(seconds.try_into().unwrap_or(0), nanoseconds.try_into().unwrap_or(0));
        let age = SystemTime::UNIX_EPOCH.checked_add(changed).and_then(|changed| changed.elapsed().ok());
        self.since.elapsed().max(age.unwrap_or_default()) < QUIET
    }
}

impl Folder {
    /// The folder at this path, whose pictures may have up to `limit` bytes together. Reads nothing yet.
    pub(super) fn new(path: &Path, limit: u64) -> Self {
        Self {
            path: path.to_owned(),
            limit,
            listed: None,
            rechecked: None,
            files: BTreeMap::new(),
            playlist: Vec::new(),
            length: Arc::default(),
            weight: 0,
            unusable: Vec::new(),
            is_stale: false,
            is_crowded: false,
        }
    }

    /// How many pictures there are; 0 before the first refresh. Kept up to date.
    pub(super) fn length(&self) -> Arc<AtomicUsize> {
        self.length.clone()
    }

    /// Look for what was added, removed or replaced. Fails if there is no picture.
    pub(super) fn refresh(&mut self) -> Result<(), SourceError> {
        let failed = |source| SourceError::Folder { path: self.path.clone(), source };
        let folder = Seen::new(&fs::metadata(&self.path).map_err(failed)?, self.listed);
        let is_due = self.listed.is_none_or(|listed| {
            listed.stamp != folder.stamp || (folder.is_recent() && listed.at.elapsed() >= RECHECK)
        });
        if is_due {
            self.list()?;
            self.listed = Some(folder);
        }
        if self.rechecked.is_none_or(|rechecked| rechecked.elapsed() >= RECHECK) {
            self.rechecked = Some(Instant::now());
            let names: Vec<_> =
                self.files.iter().filter(|(_, file)| file.image.is_none()).map(|(name, _)| name.clone()).collect();
            for name in names {
                self.check(&name);
            }
        }
        self.rebuild_playlist();
        self.report_unusable();
        if self.playlist.is_empty() {
            return Err(SourceError::NoPictures { path: self.path.clone(), skipped: self.files.len() });
        }
        Ok(())
    }

    /// The picture that comes `steps` after the one of the file `shown`; the first, if none was shown yet. `shown`
    /// becomes its file.
    pub(super) fn advance(&mut self, shown: &mut Option<NaturalName>, steps: u64) -> Result<JpegImage, SourceError> {
        self.refresh()?;
        // Each round ends or makes the playlist shorter.
        loop {
            let Some(name) = self.after(shown.as_ref(), steps).cloned() else {
                self.report_unusable();
                return Err(SourceError::NoPictures { path: self.path.clone(), skipped: self.files.len() });
            };
            self.check(&name);
            self.rebuild_playlist();
            if let Some(picture) = self.files.get(&name).and_then(|file| file.image.clone()) {
                *shown = Some(name);
                return Ok(picture);
            }
        }
    }

    /// The name in the playlist that comes `steps` after `shown`, which may be gone from it by now.
    fn after(&self, shown: Option<&NaturalName>, steps: u64) -> Option<&NaturalName> {
        let length = u64::try_from(self.playlist.len()).ok().filter(|length| *length > 0)?;
        let first = match shown.map(|shown| self.playlist.binary_search(shown)) {
            None => 0,
            Some(Ok(index)) => index as u64 + steps % length,
            // The next one has moved up to its place.
            Some(Err(index)) => index as u64 + steps.saturating_sub(1) % length,
        };
        self.playlist.get(usize::try_from(first % length).ok()?)
    }

    /// Take the names from the folder, and read the files that are new.
    fn list(&mut self) -> Result<(), SourceError> {
        let failed = |source| SourceError::Folder { path: self.path.clone(), source };
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if !is_jpeg_name(Path::new(&name)) {
                continue;
            }
            if names.len() == NAME_LIMIT {
                if !self.is_crowded {
                    warn!("{}: only {NAME_LIMIT} files are looked at", self.path.display());
                    self.is_crowded = true;
                }
                break;
            }
            names.insert(NaturalName::new(name));
        }
        let gone: Vec<_> = self.files.keys().filter(|name| !names.contains(*name)).cloned().collect();
        for name in gone {
            self.replace(&name, None);
        }
        for name in names {
            if !self.files.contains_key(&name) {
                self.check(&name);
            }
        }
        Ok(())
    }

    /// Read this file if it is new or was changed.
    fn check(&mut self, name: &NaturalName) {
        let path = self.path.join(name.as_os_str());
        let before = self.files.get(name);
        let (seen, result) = match look_at(&path) {
            Ok(metadata) => {
                let seen = Seen::new(&metadata, before.and_then(|file| file.seen));
                if before.is_some_and(|file| file.is(&seen) && !file.is_provisional) {
                    return;
                }
                let others = self.weight - before.map_or(0, File::weight);
                (Some(seen), read(&path, &seen, others, self.limit))
            }
            // It was removed; the next listing tells.
            Err(None) => return self.replace(name, None),
            Err(Some(reason)) => (None, Err(reason)),
        };
        let is_recent = seen.is_some_and(|seen| seen.is_recent());
        let file = match result {
            Ok(picture) => File { seen, image: Some(picture), is_provisional: is_recent, is_reported: false },
            // It may still be being written. What it was before is shown until that is done.
            Err(BadFile::InvalidJpeg(_) | BadFile::Changing) if is_recent => {
                let picture = before.and_then(|file| file.image.clone());
                File { seen, image: picture, is_provisional: true, is_reported: false }
            }
            Err(reason) => {
                let is_same = before.is_some_and(|file| match &seen {
                    Some(seen) => file.is(seen),
                    None => file.seen.is_none(),
                });
                let is_provisional = matches!(reason, BadFile::Unreadable(_) | BadFile::NoRoom(_) | BadFile::Changing);
                if !(is_same && before.is_some_and(|file| file.is_reported)) {
                    self.unusable.push((path, reason));
                }
                File { seen, image: None, is_provisional, is_reported: true }
            }
        };
        self.replace(name, Some(file));
    }

    /// Put what was found of a file in the place of what was known.
    fn replace(&mut self, name: &NaturalName, file: Option<File>) {
        let added = file.as_ref().map_or(0, File::weight);
        let before = match file {
            Some(file) => self.files.insert(name.clone(), file),
            None => self.files.remove(name),
        };
        let removed = before.as_ref().map_or(0, File::weight);
        self.weight = self.weight - removed + added;
        self.is_stale |= (removed > 0) != (added > 0);
    }

    /// Make the playlist of the files with a picture, if those are others than before.
    fn rebuild_playlist(&mut self) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        let usable = self.files.iter().filter(|(_, file)| file.image.is_some());
        self.playlist = usable.map(|(name, _)| name.clone()).collect();
        self.length.store(self.playlist.len(), Ordering::Relaxed);
        debug!("{}: {} pictures", self.path.display(), self.playlist.len());
    }

    /// Say in the log which files are skipped, and why.
    fn report_unusable(&mut self) {
        let unusable = std::mem::take(&mut self.unusable);
        for (path, reason) in unusable.iter().take(WARNINGS) {
            warn!("skipped {}: {reason}", path.display());
        }
        if let Some(more @ 1..) = unusable.len().checked_sub(WARNINGS) {
            warn!("skipped {more} more files in {}", self.path.display());
        }
    }
}

impl File {
    /// Whether it was like this when it was read last.
    fn is(&self, seen: &Seen) -> bool {
        self.seen.is_some_and(|before| before.stamp == seen.stamp)
    }

    fn weight(&self) -> u64 {
        self.image.as_ref().map_or(0, |picture| picture.bytes.len() as u64)
    }
}

fn is_jpeg_name(name: &Path) -> bool {
    name.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("jpg") || extension.eq_ignore_ascii_case("jpeg"))
}

/// What is at the path, if it is a regular file, without opening it: to open a pipe may block, and to open a device may
/// do something. Fails without a reason if there is nothing.
fn look_at(path: &Path) -> Result<Metadata, Option<BadFile>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(metadata),
        Ok(metadata) => Err(Some(BadFile::NotRegular(kind_of(&metadata)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(fs::symlink_metadata(path).is_ok().then_some(BadFile::DanglingLink))
        }
        Err(error) => Err(Some(error.into())),
    }
}

fn kind_of(metadata: &Metadata) -> &'static str {
    match metadata.file_type() {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Read a picture from a file, which must be as it was seen, before and after. With the `others`, it may have up to
/// `limit` bytes.
fn read(path: &Path, seen: &Seen, others: u64, limit: u64) -> Result<JpegImage, BadFile> {
    // Should it have become something else meanwhile: never wait for it, nor make a terminal ours.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(BadFile::NotRegular(kind_of(&metadata)));
    }
    if metadata.len() > FILE_LIMIT_MIB << 20 {
        return Err(BadFile::TooLarge);
    }
    if others.saturating_add(metadata.len()) > limit {
        return Err(BadFile::NoRoom(limit));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // Not beyond the length, however fast it grows.
    (&file).take(metadata.len()).read_to_end(&mut bytes)?;
    if Stamp::of(&file.metadata()?) != seen.stamp {
        return Err(BadFile::Changing);
    }
    if seen.is_recent() {
        // One that is half old and half new, since it is being overwritten in place, is whole to look at.
        let whole = jpeg::validate(&bytes, Options::default())?;
        jpeg::check_scan(&bytes, &whole)?;
    }
    Ok(JpegImage::new(Bytes::from(bytes))?)
}
