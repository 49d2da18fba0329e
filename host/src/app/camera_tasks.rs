//! The supervisors of cameras, which come and go.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::camera::Camera;
use crate::process::supervisor::{Backoff, restart_on_panic};

/// How long a changed camera waits until its predecessor has closed the device. Drivers take up to a few seconds.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(6);

/// Supervises each camera that it receives until that is removed. A camera waits until an earlier one of the same name
/// has closed its device. Runs until the future is dropped.
pub(super) async fn supervise_all(mut new_cameras: mpsc::UnboundedReceiver<Arc<Camera>>) {
    let mut tasks = JoinSet::new();
    // For each name, what resolves when the supervisor of its camera ends.
    let mut ends: HashMap<String, oneshot::Receiver<()>> = HashMap::new();
    loop {
        tokio::select! {
            Some(camera) = new_cameras.recv() => {
                ends.retain(|_, end| end.try_recv() == Err(oneshot::error::TryRecvError::Empty));
                let (end, ended) = oneshot::channel();
                let predecessor = ends.insert(camera.name().to_owned(), ended);
                tasks.spawn(async move {
                    if let Some(predecessor) = predecessor {
                        // It may take longer. Then the device is busy for a while, which viewers see.
                        let _ = timeout(RELEASE_TIMEOUT, predecessor).await;
                    }
                    let name = format!("the supervisor of camera {}", camera.name());
                    restart_on_panic(&name, Backoff::DEFAULT, || camera.clone().supervise()).await;
                    drop(end);
                });
            }
            Some(_) = tasks.join_next() => {}
            else => pending().await,
        }
    }
}
