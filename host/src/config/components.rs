//! The components of one camera.

use tokio::runtime::Handle;

use crate::drivers::DriverSlot;
use crate::filters::FilterSlot;
use crate::sandbox::Outgoing;

/// The components of one camera.
#[derive(Clone, Default)]
pub struct CameraComponents {
    /// Its driver.
    pub driver: Option<DriverSlot>,
    /// Its filters, in the order in which frames pass them.
    pub filters: Vec<FilterSlot>,
    /// The requests of its driver.
    pub(super) outgoing: Outgoing,
}

impl CameraComponents {
    /// Sets the runtime that the requests of the driver run on. Until then, they fail.
    pub fn run_requests_on(&self, runtime: &Handle) {
        self.outgoing.run_on(runtime.clone());
    }

    /// Loads the components, one after the other, so that no viewer has to wait for it.
    pub async fn preload(&self) {
        if let Some(driver) = &self.driver {
            driver.preload().await;
        }
        for filter in &self.filters {
            filter.preload().await;
        }
    }
}
