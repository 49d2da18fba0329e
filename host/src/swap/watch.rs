//! Watches the files of components, and replaces a component when its file changes. Build tools touch files without
//! changing them, so the watcher compares digests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tracing::info;

use super::check::SwapError;
use crate::process::file_changes::FileChanges;
use crate::sandbox::{Candidate, LoadError};

/// A component that is replaced when its file changes.
pub trait Watched: Send + Sync + 'static {
    /// Reads the file. Blocks while it does.
    fn read(&self, file: &Path) -> Result<Candidate, LoadError>;

    /// Whether the component with this digest runs now.
    fn runs(&self, digest: &str) -> bool;

    /// Offers what the file contains now. The outcome is logged.
    fn offer(&self, candidate: Result<Candidate, LoadError>) -> impl Future<Output = Result<(), SwapError>> + Send;
}

/// Replaces a component whenever `file` changes, until the future is dropped. `digest` is that of the component that was
/// read from the file at the start, if it could be read.
pub async fn watch(file: PathBuf, mut digest: Option<Arc<str>>, component: Arc<impl Watched>) {
    info!("watching {}", file.display());
    let mut changes = FileChanges::of(file.clone());
    loop {
        changes.next().await;
        let (path, reader) = (file.clone(), component.clone());
        let Ok(candidate) = spawn_blocking(move || reader.read(&path)).await else { continue };
        let new_digest = candidate.as_ref().ok().map(|candidate| candidate.digest.clone());
        let runs = new_digest.as_ref().is_some_and(|digest| component.runs(digest));
        if digest.is_none() && runs {
            digest = new_digest;
            continue;
        }
        if new_digest.is_some() && new_digest == digest {
            if !runs {
                info!("{} has not changed, but another component runs; send SIGHUP to load it again", file.display());
            }
            continue;
        }
        // A candidate that could not be tested is offered again when it is saved again.
        let outcome = component.offer(candidate).await;
        if matches!(outcome, Ok(()) | Err(SwapError::Load(_))) && new_digest.is_some() {
            digest = new_digest;
        }
    }
}
