//! Tells when a camera may have been plugged in: the kernel makes its nodes in `/dev`.

use std::path::{Path, PathBuf};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;
use tracing::debug;

/// What the nodes' names begin with.
const NODE: &str = "video";

/// A watch on `/dev`, for as long as it lives.
pub(super) struct Arrivals {
    news: watch::Sender<()>,
    /// None where the kernel gives no notice; cameras are then only tried again from time to time.
    _watcher: Option<RecommendedWatcher>,
}

impl Arrivals {
    /// Watch `folder`, which is `/dev` but for tests.
    pub(super) fn watch(folder: &Path) -> Self {
        let (news, _) = watch::channel(());
        let told = news.clone();
        let tell = move |event: Result<Event, notify::Error>| {
            if event.is_ok_and(|event| is_arrival(&event)) {
                told.send_replace(());
            }
        };
        let watcher = notify::recommended_watcher(tell).and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watcher.inspect_err(|error| debug!("{} is not watched: {error}", folder.display())).ok();
        Self { news, _watcher: watcher }
    }

    /// Changes with each arrival.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }
}

/// Whether a node was made, or its permissions were set, which follows.
fn is_arrival(event: &Event) -> bool {
    use notify::event::ModifyKind;
    let is_node =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(NODE.as_bytes()));
    matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Metadata(_) | ModifyKind::Name(_)))
        && event.paths.iter().any(is_node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[tokio::test]
    async fn a_node_that_appears_is_told_and_nothing_else_is() {
        let folder = std::env::temp_dir().join(format!("hotshoe-arrivals-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let arrivals = Arrivals::watch(&folder);
        let mut news = arrivals.subscribe();
        fs::write(folder.join("video7"), "").unwrap();
        tokio::time::timeout(Duration::from_secs(30), news.changed()).await.unwrap().unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let event = |kind, name: &str| Event::new(kind).add_path(folder.join(name));
        use notify::event::{CreateKind, RemoveKind};
        assert!(is_arrival(&event(EventKind::Create(CreateKind::File), "video7")));
        assert!(!is_arrival(&event(EventKind::Create(CreateKind::File), "sda1")));
        assert!(!is_arrival(&event(EventKind::Remove(RemoveKind::File), "video7")));
    }
}
