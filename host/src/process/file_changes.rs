//! Detects changes of a file.
//!
//! Programs rename a new file into place, write it in pieces, or touch it without changing it. So the folder is
//! observed, and a change counts when the file is stable.
//!
//! A file system that does not respond, such as a hung network mount, blocks its callers. All calls therefore run on
//! blocking threads, one at a time, and only the task that waits for changes waits for them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Interval, interval, sleep};
use tracing::{debug, warn};

/// How long the file must stay unchanged before it is read. Linkers write it within milliseconds, in one go.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// How often to look at the file without an event. inotify(7) reports nothing for a file behind a symbolic link, on a
/// network file system, or in a folder that was removed and created again, as by `cargo clean`.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Tells two states of a file apart without reading it: device, inode, length, and status change time (`st_ctime`),
/// which also changes with the permissions, since the file may have been unreadable before.
type Fingerprint = (u64, u64, u64, i64, i64);

/// The calls into the file system. Each blocks until the file system responds.
pub trait WatchedFile: Send + 'static {
    /// The state of the file. Returns `None` if it does not exist.
    fn fingerprint(&mut self) -> Option<Fingerprint>;

    /// Watches the folder that exists now, since the previous one may have been removed. Changes in between cause no
    /// event, so the caller must look at the file afterwards.
    fn rewatch(&mut self);
}

/// Detects changes of a file.
pub struct FileChanges<F = WatchedFolder> {
    file: Arc<Mutex<F>>,
    /// Notified of events that may concern the file.
    changed: Arc<Notify>,
    poll: Interval,
    /// The last state of the file. `None` at the start, so that the file is read once more: it may have changed since
    /// it was first read.
    last: Option<Fingerprint>,
}

impl FileChanges {
    /// Watches this file, which need not exist. Must be called within a Tokio runtime.
    pub fn of(file: PathBuf) -> Self {
        let changed = Arc::new(Notify::new());
        Self::new(WatchedFolder::new(file, changed.clone()), changed)
    }
}

impl<F: WatchedFile> FileChanges<F> {
    fn new(file: F, changed: Arc<Notify>) -> Self {
        Self { file: Arc::new(Mutex::new(file)), changed, poll: interval(POLL_INTERVAL), last: None }
    }

    /// Waits until the file has changed and is stable again. Returns at once the first time. Cancel safe: a change is
    /// found later if the future is dropped before it completes.
    pub async fn next(&mut self) {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                _ = self.poll.tick() => self.run_blocking(F::rewatch).await.unwrap_or_default(),
            }
            if self.fingerprint().await == self.last {
                continue;
            }
            self.last = self.stable_fingerprint().await;
            if self.last.is_some() {
                return;
            }
            debug!("a watched file is missing; waiting until it exists again");
        }
    }

    /// Waits until the file has not changed for [`DEBOUNCE`], and returns its state.
    async fn stable_fingerprint(&self) -> Option<Fingerprint> {
        loop {
            let before = self.fingerprint().await;
            self.debounce().await;
            // Some files cause no events, so compare their state too.
            if self.fingerprint().await == before {
                return before;
            }
        }
    }

    /// Waits until there was no event for [`DEBOUNCE`].
    async fn debounce(&self) {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep(DEBOUNCE) => return,
            }
        }
    }

    async fn fingerprint(&self) -> Option<Fingerprint> {
        self.run_blocking(F::fingerprint).await.flatten()
    }

    /// Runs a call on a blocking thread. Returns `None` if it panics.
    async fn run_blocking<T: Send + 'static>(&self, call: fn(&mut F) -> T) -> Option<T> {
        let file = self.file.clone();
        spawn_blocking(move || call(&mut file.lock().unwrap_or_else(PoisonError::into_inner))).await.ok()
    }
}

/// The file, and the watch on its folder.
pub struct WatchedFolder {
    file: PathBuf,
    path: PathBuf,
    changed: Arc<Notify>,
    watcher: FolderWatcher,
}

enum FolderWatcher {
    NotStarted,
    Running(RecommendedWatcher),
    /// The kernel refused. Changes are found by polling.
    Unavailable,
}

impl WatchedFolder {
    /// Notifies `changed` of every event that may concern the file, from the first [`rewatch`](WatchedFile::rewatch)
    /// on.
    fn new(file: PathBuf, changed: Arc<Notify>) -> Self {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let path = parent.unwrap_or(Path::new(".")).to_owned();
        Self { file, path, changed, watcher: FolderWatcher::NotStarted }
    }

    fn start_watcher(&self) -> FolderWatcher {
        let name = self.file.file_name().map(ToOwned::to_owned);
        let changed = self.changed.clone();
        let on_event = move |event: notify::Result<Event>| {
            // An error may mean that events were lost.
            if event.is_ok_and(|event| !may_change(&event, name.as_deref())) {
                return;
            }
            changed.notify_one();
        };
        match notify::recommended_watcher(on_event) {
            Ok(watcher) => FolderWatcher::Running(watcher),
            Err(error) => {
                warn!("cannot watch for file events, looking every {POLL_INTERVAL:?} instead: {error}");
                FolderWatcher::Unavailable
            }
        }
    }
}

impl WatchedFile for WatchedFolder {
    fn fingerprint(&mut self) -> Option<Fingerprint> {
        let metadata = fs::metadata(&self.file).ok()?;
        Some((metadata.dev(), metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec()))
    }

    fn rewatch(&mut self) {
        if matches!(self.watcher, FolderWatcher::NotStarted) {
            self.watcher = self.start_watcher();
        }
        let FolderWatcher::Running(watcher) = &mut self.watcher else { return };
        // Fails if the previous folder was removed, and its watch with it.
        let _ = watcher.unwatch(&self.path);
        if let Err(error) = watcher.watch(&self.path, RecursiveMode::NonRecursive) {
            debug!("cannot watch {}: {error}", self.path.display());
        }
    }
}

/// Whether an event may mean that the file with this name has changed. Reading it does not change it.
fn may_change(event: &Event, name: Option<&std::ffi::OsStr>) -> bool {
    let is_read = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    };
    !is_read && (event.need_rescan() || event.paths.iter().any(|path| path.file_name() == name))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::yield_now;

    use super::*;

    /// A file on a file system that responds only when the test lets it.
    struct HungFile {
        calls: mpsc::Sender<()>,
        responses: mpsc::Receiver<Fingerprint>,
    }

    impl WatchedFile for HungFile {
        fn fingerprint(&mut self) -> Option<Fingerprint> {
            self.calls.send(()).unwrap();
            self.responses.recv().ok()
        }

        fn rewatch(&mut self) {}
    }

    /// Runs on a single-threaded runtime, which a call that blocks would stop.
    #[tokio::test]
    async fn a_hung_file_system_blocks_only_the_watcher_with_one_call_at_a_time() {
        let (calls, received_calls) = mpsc::channel();
        let (respond, responses) = mpsc::channel();
        let changed = Arc::new(Notify::new());
        let mut changes = FileChanges::new(HungFile { calls, responses }, changed.clone());
        let watching = tokio::spawn(async move {
            changes.next().await;
            changes.last
        });
        let mut count = 0;
        while count == 0 {
            count += received_calls.try_iter().count();
            yield_now().await;
        }
        for _ in 0..100 {
            changed.notify_one();
            yield_now().await;
        }
        count += received_calls.try_iter().count();
        assert_eq!(count, 1, "calls in progress");
        let file = (1, 2, 3, 4, 5);
        // One response to the first call, and one each before and after the debounce.
        (0..3).for_each(|_| respond.send(file).unwrap());
        assert_eq!(watching.await.unwrap(), Some(file));
    }
}
