//! The exports of a guest besides its handler, and the workers of its middleware. Each is of WASI 0.2 or 0.3, whatever
//! the handler is.

use wasmtime::component::{ComponentExportIndex, InstancePre};
use wasmtime::{Result, Store};

use crate::channels::Publisher;
use crate::sandbox::imports::bindings as v0_2;
use crate::sandbox::imports::wasi_0_3::bindings as v0_3;
use crate::sandbox::interface_version::is_version_of;
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

/// The interface with the work of a guest. The host calls the newer one if a component exports both.
const WORKER: [&str; 2] = ["hotshoe:server/worker@0.3.0", "hotshoe:server/worker@0.2.0"];

/// Whether this is the name of the interface with the work of a component, in a version that the host can call.
pub(in crate::sandbox) fn is_worker(interface: &str) -> bool {
    WORKER.iter().any(|worker| is_version_of(interface, worker))
}

/// The name under which a composed component exports the worker of the middleware with this index.
pub(in crate::sandbox) fn worker_of_middleware(index: usize) -> String {
    format!("worker{index}")
}

/// An export `worker`.
#[derive(Clone)]
pub struct WorkerExport {
    component: InstancePre<GuestState>,
    run: ComponentExportIndex,
    /// The index of the middleware whose worker this is. `None` if it is that of the guest.
    pub middleware: Option<usize>,
}

impl WorkerExport {
    /// Returns the worker of a guest, if it has one, followed by those of its middleware, which has this many parts.
    pub(in crate::sandbox) fn all(component: &InstancePre<GuestState>, parts: usize) -> Vec<Self> {
        let find = |interface: &str, middleware| {
            let interface = component.component().get_export_index(None, interface)?;
            let run = component.component().get_export_index(Some(&interface), "run")?;
            Some(Self { component: component.clone(), run, middleware })
        };
        let guest = WORKER.iter().find_map(|interface| find(interface, None));
        let middleware = (0..parts).filter_map(|index| find(&worker_of_middleware(index), Some(index)));
        guest.into_iter().chain(middleware).collect()
    }

    /// Runs the worker in a new instance, until it returns or traps.
    pub(super) async fn run(self, mut store: Store<GuestState>) -> Result<()> {
        let instance = self.component.instantiate_async(&mut store).await?;
        let run = instance.get_typed_func::<(), ()>(&mut store, self.run)?;
        run.call_async(&mut store, ()).await
    }
}
