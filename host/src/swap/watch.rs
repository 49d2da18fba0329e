//! The guest's file, watched: what is put there is offered as the next guest.
//!
//! Builders replace a file by renaming, write it in pieces, or touch it without changing it. So it is the folder
//! that is watched; a change counts when the file has been left alone for a moment; and it is one only if the
//! digest has changed.
//!
//! A file system that does not answer, such as a network mount that has hung, blocks whoever asks it. All questions are
//! therefore asked on threads for blocking work, one at a time: only the watcher waits.

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
use tracing::{debug, info, warn};

use super::check::SwapError;
use super::generations::Generations;
use crate::sandbox::Candidate;

/// How long the file must be left alone before it is read. Linkers write for some milliseconds, and in one go.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// How often to look without having been told to. The kernel tells nothing of a file behind a symbolic link, on
/// a network file system, or in a folder that was removed and made again, as by `cargo clean`.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Offer what is put at `file`, for ever. `digest` is that of the guest that was read from there at the start.
pub async fn watch(file: PathBuf, mut digest: Arc<str>, generations: Generations) {
    info!("watching {}", file.display());
    let changed = Arc::new(Notify::new());
    let folder = Folder::new(file.clone(), changed.clone());
    let mut changes = Changes::new(folder, changed);
    loop {
        changes.next().await;
        let path = file.clone();
        let Ok(candidate) = spawn_blocking(move || Candidate::read(Some(&path))).await else { continue };
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

/// What tells one state of a file from another without reading it: device, inode, length, and when it was last changed
/// in any way, be it its permissions, since it may not have been readable before.
type Fingerprint = (u64, u64, u64, i64, i64);

/// What the watcher asks of the file system. Each call blocks for as long as the file system takes to answer.
trait WatchedFile: Send + 'static {
    /// The state of the file. Returns `None` if there is no file.
    fn fingerprint(&mut self) -> Option<Fingerprint>;

    /// Ask for notices about the folder that is there now: the one before may have been removed. What happens in between
    /// goes without notice, so the file is to be looked at after this.
    fn watch_again(&mut self);
}

/// Finds changes of a file.
struct Changes<F> {
    file: Arc<Mutex<F>>,
    /// There is news of the file.
    changed: Arc<Notify>,
    look: Interval,
    /// The state of the file that was found last; none at the start, so that it is read once more then: it may have changed
    /// since it was read first.
    seen: Option<Fingerprint>,
}

impl<F: WatchedFile> Changes<F> {
    fn new(file: F, changed: Arc<Notify>) -> Self {
        Self { file: Arc::new(Mutex::new(file)), changed, look: interval(LOOK_EVERY), seen: None }
    }

    /// Wait until the file has changed, and was then left alone for a moment.
    async fn next(&mut self) {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                _ = self.look.tick() => self.ask(F::watch_again).await.unwrap_or_default(),
            }
            if self.fingerprint().await == self.seen {
                continue;
            }
            self.seen = self.settled().await;
            if self.seen.is_some() {
                return;
            }
            debug!("the guest's file is gone; waiting for it to come back");
        }
    }

    /// Wait until the file is left alone, and there is no notice of it, for a moment. Returns what it is then.
    async fn settled(&self) -> Option<Fingerprint> {
        loop {
            let before = self.fingerprint().await;
            self.settle().await;
            // There are no notices of some files.
            if self.fingerprint().await == before {
                return before;
            }
        }
    }

    /// Wait until there is no news of the file for a moment.
    async fn settle(&self) {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep(SETTLED_AFTER) => return,
            }
        }
    }

    async fn fingerprint(&self) -> Option<Fingerprint> {
        self.ask(F::fingerprint).await.flatten()
    }

    /// Ask the file system, on a thread that may block. Returns `None` if that panics.
    async fn ask<T: Send + 'static>(&self, question: fn(&mut F) -> T) -> Option<T> {
        let file = self.file.clone();
        spawn_blocking(move || question(&mut file.lock().unwrap_or_else(PoisonError::into_inner))).await.ok()
    }
}

/// The file, and the folder that holds it with the kernel's notices about it.
struct Folder {
    file: PathBuf,
    path: PathBuf,
    changed: Arc<Notify>,
    notices: Notices,
}

enum Notices {
    /// Nobody has asked for them yet.
    Unasked,
    From(RecommendedWatcher),
    /// The kernel gives none.
    Refused,
}

impl Folder {
    /// Have `changed` told of everything that may have changed this file, from the first
    /// [`watch_again`](WatchedFile::watch_again) on.
    fn new(file: PathBuf, changed: Arc<Notify>) -> Self {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let path = parent.unwrap_or(Path::new(".")).to_owned();
        Self { file, path, changed, notices: Notices::Unasked }
    }

    fn ask_for_notices(&self) -> Notices {
        let name = self.file.file_name().map(ToOwned::to_owned);
        let changed = self.changed.clone();
        let told = move |event: notify::Result<Event>| {
            // An error may mean that notices were lost.
            if event.is_ok_and(|event| !concerns(&event, name.as_deref())) {
                return;
            }
            changed.notify_one();
        };
        match notify::recommended_watcher(told) {
            Ok(watcher) => Notices::From(watcher),
            Err(error) => {
                warn!("the kernel will not tell of changes, so it takes {LOOK_EVERY:?} to see one: {error}");
                Notices::Refused
            }
        }
    }
}

impl WatchedFile for Folder {
    fn fingerprint(&mut self) -> Option<Fingerprint> {
        let metadata = fs::metadata(&self.file).ok()?;
        Some((metadata.dev(), metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec()))
    }

    fn watch_again(&mut self) {
        if matches!(self.notices, Notices::Unasked) {
            self.notices = self.ask_for_notices();
        }
        let Notices::From(watcher) = &mut self.notices else { return };
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::yield_now;

    use super::*;

    /// A file on a file system that answers only when it is told to.
    struct HungFile {
        asked: mpsc::Sender<()>,
        answers: mpsc::Receiver<Fingerprint>,
    }

    impl WatchedFile for HungFile {
        fn fingerprint(&mut self) -> Option<Fingerprint> {
            self.asked.send(()).unwrap();
            self.answers.recv().ok()
        }

        fn watch_again(&mut self) {}
    }

    /// On a runtime of one thread, which a blocked question would stop.
    #[tokio::test]
    async fn a_file_system_that_hangs_holds_up_the_watcher_alone_by_one_question_at_a_time() {
        let (asked, questions) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let changed = Arc::new(Notify::new());
        let mut changes = Changes::new(HungFile { asked, answers }, changed.clone());
        let watching = tokio::spawn(async move {
            changes.next().await;
            changes.seen
        });
        let mut count = 0;
        while count == 0 {
            count += questions.try_iter().count();
            yield_now().await;
        }
        for _ in 0..100 {
            changed.notify_one();
            yield_now().await;
        }
        count += questions.try_iter().count();
        assert_eq!(count, 1, "one question is being asked");
        let file = (1, 2, 3, 4, 5);
        // For the first look, and those before and after it was left alone for a moment.
        (0..3).for_each(|_| answer.send(file).unwrap());
        assert_eq!(watching.await.unwrap(), Some(file));
    }
}
