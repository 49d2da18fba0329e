//! The pictures of a folder, kept up to date while they are played.
//!
//! Nothing is watched: before a picture is shown, one `stat` each checks the folder and the file for changes. That
//! takes microseconds, works on every file system, and happens only on the capture thread.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::file::{self, FileError, FileState};
use super::natural_order::NaturalName;
use crate::error::SourceError;
use crate::frame::JpegImage;

/// The most bytes that the pictures of a folder may take together, because all are kept in memory: 400 full HD
/// pictures.
pub(super) const MAX_FOLDER_BYTES: u64 = 256 << 20;

/// The most file names considered, so that a folder with millions of files cannot exhaust the memory.
const MAX_NAMES: usize = 100_000;

/// How often a folder that was just changed is listed again, and unusable files are read again.
const RECHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The most unusable files read again before a picture, at most every [`RECHECK_INTERVAL`]. A folder of a time lapse may
/// have far more than fit into the memory, and looking at each takes microseconds, or milliseconds in a network.
const MAX_RECHECKED: usize = 200;

/// The most unusable files logged at once by name.
const MAX_WARNINGS: usize = 10;

/// A folder of pictures.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The most bytes that all pictures may take together.
    limit: u64,
    /// The state of the folder when it was last listed.
    listed: Option<FileState>,
    /// When unusable files were last read again.
    rechecked: Option<Instant>,
    /// The unusable file that was read again last. Those after it are next.
    last_rechecked: Option<NaturalName>,
    files: BTreeMap<NaturalName, FolderFile>,
    /// The names of all files with a picture, in order.
    playlist: Vec<NaturalName>,
    /// The length of the playlist, for readers that must not wait for the disk.
    length: Arc<AtomicUsize>,
    /// The bytes of all pictures.
    total_bytes: u64,
    /// Unusable files that are still to be logged, with the reasons.
    unreported: Vec<(PathBuf, FileError)>,
    /// Whether the playlist must be rebuilt.
    is_playlist_stale: bool,
    /// Whether the excess of names was logged.
    has_logged_excess: bool,
}

/// A file of the folder.
#[derive(Debug)]
struct FolderFile {
    /// The state when the file was last read. `None` if the state is unknown.
    state: Option<FileState>,
    image: Option<JpegImage>,
    reread: Reread,
    /// Whether the reason for skipping it was logged.
    is_reported: bool,
}

/// When to read a file again that seems unchanged.
#[derive(Clone, Copy, Debug)]
enum Reread {
    /// Never.
    Never,
    /// At every check, because it was just written or could not be read.
    Always,
    /// As soon as it fits into the memory for the pictures of the folder.
    OnceItFits,
}

impl FolderFile {
    /// Whether the file had this state when it was last read.
    fn has_state(&self, state: &FileState) -> bool {
        self.state.is_some_and(|previous| previous.is_same(state))
    }

    /// Whether to read the file, which now has this state. The other pictures leave `room` bytes.
    fn is_due(&self, state: &FileState, room: u64) -> bool {
        !self.has_state(state)
            || match self.reread {
                Reread::Never => false,
                Reread::Always => true,
                Reread::OnceItFits => state.length() <= room,
            }
    }

    /// Whether it has no picture yet because it was written a moment ago.
    fn is_being_written(&self) -> bool {
        let is_recent = self.state.is_some_and(|state| state.is_recent());
        self.image.is_none() && matches!(self.reread, Reread::Always) && is_recent
    }

    /// The bytes of the picture.
    fn bytes(&self) -> u64 {
        self.image.as_ref().map_or(0, |image| image.bytes.len() as u64)
    }
}

impl Folder {
    /// Creates the folder without reading it. Its pictures may take up to `limit` bytes together.
    pub(super) fn new(path: &Path, limit: u64) -> Self {
        Self {
            path: path.to_owned(),
            limit,
            listed: None,
            rechecked: None,
            last_rechecked: None,
            files: BTreeMap::new(),
            playlist: Vec::new(),
            length: Arc::default(),
            total_bytes: 0,
            unreported: Vec::new(),
            is_playlist_stale: false,
            has_logged_excess: false,
        }
    }

    /// The number of pictures, kept up to date. 0 before the first refresh.
    pub(super) fn length(&self) -> Arc<AtomicUsize> {
        self.length.clone()
    }

    /// Looks for added, removed and changed files. Fails if the folder has no picture.
    pub(super) fn refresh(&mut self) -> Result<(), SourceError> {
        let failed = |source| SourceError::Folder { path: self.path.clone(), source };
        let state = FileState::new(&fs::metadata(&self.path).map_err(failed)?, self.listed);
        let is_due = self.listed.is_none_or(|listed| {
            !listed.is_same(&state) || (state.is_recent() && listed.checked.elapsed() >= RECHECK_INTERVAL)
        });
        if is_due {
            self.list()?;
            self.listed = Some(state);
        }
        if self.rechecked.is_none_or(|rechecked| rechecked.elapsed() >= RECHECK_INTERVAL) {
            self.rechecked = Some(Instant::now());
            for name in self.being_written() {
                self.check(&name);
            }
            for name in self.next_unusable() {
                self.check(&name);
                self.last_rechecked = Some(name);
            }
        }
        self.rebuild_playlist();
        self.report_unusable();
        if self.playlist.is_empty() {
            return Err(SourceError::NoPictures { path: self.path.clone(), skipped: self.files.len() });
        }
        Ok(())
    }

    /// Returns the picture `steps` after the file `current`, or the first picture if `current` is `None`. Updates
    /// `current`.
    pub(super) fn advance(&mut self, current: &mut Option<NaturalName>, steps: u64) -> Result<JpegImage, SourceError> {
        self.refresh()?;
        // Terminates: each iteration returns or shortens the playlist.
        loop {
            let Some(name) = self.name_after(current.as_ref(), steps).cloned() else {
                self.report_unusable();
                return Err(SourceError::NoPictures { path: self.path.clone(), skipped: self.files.len() });
            };
            self.check(&name);
            self.rebuild_playlist();
            if let Some(image) = self.files.get(&name).and_then(|file| file.image.clone()) {
                *current = Some(name);
                return Ok(image);
            }
        }
    }

    /// Returns the names of the unusable files that were written a moment ago.
    fn being_written(&self) -> Vec<NaturalName> {
        let written = self.files.iter().filter(|(_, file)| file.is_being_written());
        written.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the names of the other unusable files to read again, at most [`MAX_RECHECKED`] of them, in turn.
    fn next_unusable(&self) -> Vec<NaturalName> {
        let start = self.last_rechecked.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let end = self.last_rechecked.as_ref().map(|last| self.files.range(..=last));
        let in_turn = self.files.range((start, Bound::Unbounded)).chain(end.into_iter().flatten());
        let unusable = in_turn.filter(|(_, file)| file.image.is_none() && !file.is_being_written());
        unusable.take(MAX_RECHECKED).map(|(name, _)| name.clone()).collect()
    }

    /// Returns the name `steps` after `current`, which may have been removed from the playlist.
    fn name_after(&self, current: Option<&NaturalName>, steps: u64) -> Option<&NaturalName> {
        let length = u64::try_from(self.playlist.len()).ok().filter(|length| *length > 0)?;
        let index = match current.map(|current| self.playlist.binary_search(current)) {
            None => 0,
            Some(Ok(index)) => index as u64 + steps % length,
            // The next name has moved to the index of the removed one.
            Some(Err(index)) => index as u64 + steps.saturating_sub(1) % length,
        };
        self.playlist.get(usize::try_from(index % length).ok()?)
    }

    /// Lists the folder and reads new files.
    fn list(&mut self) -> Result<(), SourceError> {
        let failed = |source| SourceError::Folder { path: self.path.clone(), source };
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if !has_jpeg_extension(Path::new(&name)) {
                continue;
            }
            if names.len() == MAX_NAMES {
                if !self.has_logged_excess {
                    warn!("{}: using only {MAX_NAMES} files", self.path.display());
                    self.has_logged_excess = true;
                }
                break;
            }
            names.insert(NaturalName::new(name));
        }
        let removed: Vec<_> = self.files.keys().filter(|name| !names.contains(*name)).cloned().collect();
        for name in removed {
            self.replace(&name, None);
        }
        for name in names {
            if !self.files.contains_key(&name) {
                self.check(&name);
            }
        }
        Ok(())
    }

    /// Reads a file if it is new or has changed.
    fn check(&mut self, name: &NaturalName) {
        let path = self.path.join(name.as_os_str());
        let previous = self.files.get(name);
        let (state, result) = match file::inspect(&path) {
            Ok(Some(metadata)) => {
                let state = FileState::new(&metadata, previous.and_then(|file| file.state));
                let others = self.total_bytes - previous.map_or(0, FolderFile::bytes);
                let room = self.limit.saturating_sub(others);
                if previous.is_some_and(|file| !file.is_due(&state, room)) {
                    return;
                }
                (Some(state), file::read(&path, &state, others, self.limit))
            }
            // Removed since the folder was listed.
            Ok(None) => return self.replace(name, None),
            Err(error) => (None, Err(error)),
        };
        let is_recent = state.is_some_and(|state| state.is_recent());
        let file = match result {
            Ok(image) => {
                let reread = if is_recent { Reread::Always } else { Reread::Never };
                FolderFile { state, image: Some(image), reread, is_reported: false }
            }
            // The file may still be written to. Keep the old picture until that is done.
            Err(FileError::InvalidJpeg(_) | FileError::Changing) if is_recent => {
                let image = previous.and_then(|file| file.image.clone());
                FolderFile { state, image, reread: Reread::Always, is_reported: false }
            }
            Err(error) => {
                let is_unchanged = previous.is_some_and(|file| match &state {
                    Some(state) => file.has_state(state),
                    None => file.state.is_none(),
                });
                let reread = match error {
                    FileError::Unreadable(_) | FileError::Changing => Reread::Always,
                    FileError::FolderTooLarge(_) => Reread::OnceItFits,
                    _ => Reread::Never,
                };
                if !(is_unchanged && previous.is_some_and(|file| file.is_reported)) {
                    self.unreported.push((path, error));
                }
                FolderFile { state, image: None, reread, is_reported: true }
            }
        };
        self.replace(name, Some(file));
    }

    /// Replaces what is known about a file.
    fn replace(&mut self, name: &NaturalName, file: Option<FolderFile>) {
        let added = file.as_ref().map_or(0, FolderFile::bytes);
        let previous = match file {
            Some(file) => self.files.insert(name.clone(), file),
            None => self.files.remove(name),
        };
        let removed = previous.as_ref().map_or(0, FolderFile::bytes);
        self.total_bytes = self.total_bytes - removed + added;
        self.is_playlist_stale |= (removed > 0) != (added > 0);
    }

    /// Rebuilds the playlist if the set of files with a picture has changed.
    fn rebuild_playlist(&mut self) {
        if !std::mem::take(&mut self.is_playlist_stale) {
            return;
        }
        let usable = self.files.iter().filter(|(_, file)| file.image.is_some());
        self.playlist = usable.map(|(name, _)| name.clone()).collect();
        self.length.store(self.playlist.len(), Ordering::Relaxed);
        debug!("{}: {} pictures", self.path.display(), self.playlist.len());
    }

    /// Logs newly skipped files.
    fn report_unusable(&mut self) {
        let unreported = std::mem::take(&mut self.unreported);
        for (path, error) in unreported.iter().take(MAX_WARNINGS) {
            warn!("skipped {}: {error}", path.display());
        }
        if let Some(more @ 1..) = unreported.len().checked_sub(MAX_WARNINGS) {
            warn!("skipped {more} more files in {}", self.path.display());
        }
    }
}

fn has_jpeg_extension(name: &Path) -> bool {
    name.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("jpg") || extension.eq_ignore_ascii_case("jpeg"))
}
