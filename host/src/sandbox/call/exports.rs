//! The exports of a guest besides its handler. Each is of WASI 0.2 or 0.3, whatever the handler is.

use wasmtime::component::InstancePre;
use wasmtime::{Result, Store};

use crate::channels::Publisher;
use crate::sandbox::imports::bindings as v0_2;
use crate::sandbox::imports::wasi_0_3::bindings as v0_3;
use crate::sandbox::state::GuestState;

/// The export `publisher`.
#[derive(Clone)]
pub(in crate::sandbox) enum PublisherExport {
    /// `hotshoe:server/publisher@0.2.0`.
    V0_2(v0_2::PublishingPre<GuestState>),
    /// `hotshoe:server/publisher@0.3.0`.
    V0_3(v0_3::PublishingPre<GuestState>),
}

impl PublisherExport {
    /// Returns the newer one if a component exports both, and `None` if it exports neither.
    pub(in crate::sandbox) fn of(guest: &InstancePre<GuestState>) -> Option<Self> {
        // Fail only if the export is missing or has a wrong type.
        let newer = v0_3::PublishingPre::new(guest.clone()).map(Self::V0_3);
        newer.or_else(|_| v0_2::PublishingPre::new(guest.clone()).map(Self::V0_2)).ok()
    }

    /// Publishes a channel in a new instance, until the guest returns or traps.
    pub(super) async fn publish(self, mut store: Store<GuestState>, publisher: Publisher) -> Result<()> {
        let channel = store.data_mut().table.push(publisher)?;
        match self {
            Self::V0_2(publishing) => {
                let instance = publishing.instantiate_async(&mut store).await?;
                instance.hotshoe_server_publisher().call_publish(&mut store, channel).await
            }
            Self::V0_3(publishing) => {
                let instance = publishing.instantiate_async(&mut store).await?;
                let publisher = instance.hotshoe_server_publisher();
                store.run_concurrent(async |accessor| publisher.call_publish(accessor, channel).await).await.flatten()
            }
        }
    }
}

/// The export `worker`.
#[derive(Clone)]
pub(in crate::sandbox) enum WorkerExport {
    /// `hotshoe:server/worker@0.2.0`.
    V0_2(v0_2::working::WorkingPre<GuestState>),
    /// `hotshoe:server/worker@0.3.0`.
    V0_3(v0_3::working::WorkingPre<GuestState>),
}

impl WorkerExport {
    /// Returns the newer one if a component exports both, and `None` if it exports neither.
    pub(in crate::sandbox) fn of(guest: &InstancePre<GuestState>) -> Option<Self> {
        // Fail only if the export is missing or has a wrong type.
        let newer = v0_3::working::WorkingPre::new(guest.clone()).map(Self::V0_3);
        newer.or_else(|_| v0_2::working::WorkingPre::new(guest.clone()).map(Self::V0_2)).ok()
    }

    /// Runs the worker in a new instance, until the guest returns or traps.
    pub(super) async fn run(self, mut store: Store<GuestState>) -> Result<()> {
        match self {
            Self::V0_2(working) => {
                let instance = working.instantiate_async(&mut store).await?;
                instance.hotshoe_server_worker().call_run(&mut store).await
            }
            Self::V0_3(working) => {
                let instance = working.instantiate_async(&mut store).await?;
                let worker = instance.hotshoe_server_worker();
                store.run_concurrent(async |accessor| worker.call_run(accessor).await).await.flatten()
            }
        }
    }
}
