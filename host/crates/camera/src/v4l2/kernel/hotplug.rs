//! Notices when a camera may have been plugged in: the kernel creates its nodes in `/dev`.

use std::path::{Path, PathBuf};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;
use tracing::debug;

/// The prefix of the names of video nodes.
const NODE_PREFIX: &str = "video";

/// Watches `/dev` as long as it lives.
pub(super) struct HotplugWatcher {
    events: watch::Sender<()>,
    /// `None` if watching failed. Then cameras are only retried from time to time.
    _watcher: Option<RecommendedWatcher>,
}

impl HotplugWatcher {
    /// Starts to watch `folder`, which is `/dev` except in tests.
    pub(super) fn new(folder: &Path) -> Self {
        let (events, _) = watch::channel(());
        let sender = events.clone();
        let on_event = move |event: Result<Event, notify::Error>| {
            if event.is_ok_and(|event| is_hotplug(&event)) {
                sender.send_replace(());
            }
        };
        let watcher = notify::recommended_watcher(on_event).and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watcher.inspect_err(|error| debug!("cannot watch {}: {error}", folder.display())).ok();
        Self { events, _watcher: watcher }
    }

    /// A receiver that changes with each event.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.events.subscribe()
    }
}

/// Whether a node was created, or its permissions were changed, which follows.
fn is_hotplug(event: &Event) -> bool {
    use notify::event::ModifyKind;
    let is_node = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(NODE_PREFIX.as_bytes()))
    };
    matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Metadata(_) | ModifyKind::Name(_)))
        && event.paths.iter().any(is_node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[tokio::test]
    async fn only_new_video_nodes_are_reported() {
        let folder = std::env::temp_dir().join(format!("hotshoe-hotplug-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let watcher = HotplugWatcher::new(&folder);
        let mut events = watcher.subscribe();
        fs::write(folder.join("video7"), "").unwrap();
        tokio::time::timeout(Duration::from_secs(30), events.changed()).await.unwrap().unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let event = |kind, name: &str| Event::new(kind).add_path(folder.join(name));
        use notify::event::{CreateKind, RemoveKind};
        assert!(is_hotplug(&event(EventKind::Create(CreateKind::File), "video7")));
        assert!(!is_hotplug(&event(EventKind::Create(CreateKind::File), "sda1")));
        assert!(!is_hotplug(&event(EventKind::Remove(RemoveKind::File), "video7")));
    }
}
