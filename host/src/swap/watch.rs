//! The guest's file, watched: what is put there is offered as the next guest.
//!
//! Builders replace a file by renaming, write it in pieces, or touch it without changing it. So it is the folder
//! that is watched; a change counts when the file has been left alone for a moment; and it is one only if the
//! digest has changed.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{interval, sleep};
use tracing::{debug, info, warn};

use super::check::SwapError;
use super::generations::Generations;
use crate::guest::Candidate;

/// How long the file must be left alone before it is read. Linkers write for some milliseconds, and in one go.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// How often to look without having been told to. The kernel tells nothing of a file behind a symbolic link, on
/// a network file system, or in a folder that was removed and made again, as by `cargo clean`.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Offer what is put at `file`, for ever. `digest` is that of the guest that was read from there at the start.
pub async fn watch(file: PathBuf, mut digest: Arc<str>, generations: Generations) {
    let changed = Arc::new(Notify::new());
    let mut folder = Folder::of(&file, changed.clone());
    info!("watching {}", file.display());
    let mut look = interval(LOOK_EVERY);
    // None, so that it is read once more now: it may have changed since the start.
    let mut seen = None;
    loop {
        tokio::select! {
            () = changed.notified() => {}
            _ = look.tick() => folder.watch_again(),
        }
        if fingerprint(&file) == seen {
            continue;
        }
        seen = settled(&file, &changed).await;
        if seen.is_none() {
            debug!("{} is gone; waiting for it to come back", file.display());
            continue;
        }
        let path = file.clone();
        let Ok(candidate) = tokio::task::spawn_blocking(move || Candidate::read(Some(&path))).await else { continue };
        let offered = candidate.as_ref().ok().map(|candidate| candidate.digest.clone());
        if offered.as_ref() == Some(&digest) {
            if generations.current().guest.digest != digest {
                info!("{} is what it was, and another guest serves now; SIGHUP loads it again", file.display());
            }
            continue;
        }
        // The log tells what came of it. What could not be tried is offered again when it is saved again.
        let outcome = generations.offer(candidate).await;
        if matches!(outcome, Ok(()) | Err(SwapError::Load(_)))
            && let Some(offered) = offered
        {
            digest = offered;
        }
    }
}

/// Wait until the file is left alone, and there is no notice of it, for a moment. Returns what it is then.
async fn settled(file: &Path, changed: &Notify) -> Option<Fingerprint> {
    loop {
        let before = fingerprint(file);
        settle(changed).await;
        // There are no notices of some files.
        if fingerprint(file) == before {
            return before;
        }
    }
}

/// Wait until there is no news of the file for a moment.
async fn settle(changed: &Notify) {
    loop {
        tokio::select! {
            () = changed.notified() => {}
            () = sleep(SETTLED_AFTER) => return,
        }
    }
}

/// What tells one state of a file from another without reading it: device, inode, length, and when it was last changed
/// in any way, be it its permissions, since it may not have been readable before.
type Fingerprint = (u64, u64, u64, i64, i64);

/// None where there is no file.
fn fingerprint(file: &Path) -> Option<Fingerprint> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec()))
}

/// The folder that holds the file, with the kernel's notices about it.
struct Folder {
    path: PathBuf,
    /// None where the kernel gives no notices.
    watcher: Option<RecommendedWatcher>,
}

impl Folder {
    /// Have `changed` told of everything that may have changed this file.
    fn of(file: &Path, changed: Arc<Notify>) -> Self {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let path = parent.unwrap_or(Path::new(".")).to_owned();
        let name = file.file_name().map(ToOwned::to_owned);
        let told = move |event: notify::Result<Event>| {
            // An error may mean that notices were lost.
            if event.is_ok_and(|event| !concerns(&event, name.as_deref())) {
                return;
            }
            changed.notify_one();
        };
        let watcher = notify::recommended_watcher(told);
        if let Err(error) = &watcher {
            warn!("the kernel will not tell of changes, so it takes {LOOK_EVERY:?} to see one: {error}");
        }
        let mut folder = Self { path, watcher: watcher.ok() };
        folder.watch_again();
        folder
    }

    /// Have notices of the folder that is there now: the one before may have been removed. What happens in between
    /// goes without notice, so the file is to be looked at after this.
    fn watch_again(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        // Fails if the one before is gone, and its watch with it.
        let _ = watcher.unwatch(&self.path);
        if let Err(error) = watcher.watch(&self.path, RecursiveMode::NonRecursive) {
            debug!("cannot watch {}: {error}", self.path.display());
        }
    }
}

/// Whether an event may mean that the file of this name has changed. That it was read does not.
fn concerns(event: &Event, name: Option<&std::ffi::OsStr>) -> bool {
    let reading = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    };
    !reading && (event.need_rescan() || event.paths.iter().any(|path| path.file_name() == name))
}
