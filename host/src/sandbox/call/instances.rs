//! The instances of one generation that can handle another request.

use std::sync::Arc;

use super::idle_instances::IdleInstances;
use crate::sandbox::shared::instances::SharedInstances;

/// The instances of one generation that can handle another request. A guest uses one kind or the other, depending on
/// its version of `wasi:http`.
#[derive(Default)]
pub struct Instances {
    /// Those that handle one request at a time, and have none now.
    pub(super) idle: Arc<IdleInstances>,
    /// Those that handle several requests at the same time.
    pub(super) shared: SharedInstances,
}

impl Instances {
    /// Lets no instance handle another request. Drops those without requests.
    pub fn close(&self) {
        self.idle.close();
        self.shared.close();
    }
}
