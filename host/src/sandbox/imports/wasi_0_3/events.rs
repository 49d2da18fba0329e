//! The host side of `hotshoe:server/events@0.3.0`.

use wasmtime::Result;
use wasmtime::component::{Accessor, HasSelf, Resource};

use super::bindings::hotshoe::server::events as wit;
use super::frames::instant;
use crate::camera::JpegImage;
use crate::sandbox::imports::bindings::hotshoe::server::events as v0_2;
use crate::sandbox::imports::resources::HeldEventWatcher;
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn list_events(&mut self) -> Result<Vec<wit::Event>> {
        Ok(v0_2::Host::list_events(self)?.into_iter().map(event).collect())
    }

    fn get_image(&mut self, id: u64) -> Result<Result<Option<Resource<JpegImage>>, wit::ErrorCode>> {
        Ok(v0_2::Host::get_image(self, id)?.map_err(|error| match error {
            v0_2::ErrorCode::TooManyImages(limit) => wit::ErrorCode::TooManyImages(limit),
            v0_2::ErrorCode::Other(text) => wit::ErrorCode::Other(text),
        }))
    }
}

impl wit::HostWatcher for GuestState {
    fn new(&mut self) -> Result<Resource<HeldEventWatcher>> {
        Ok(self.table.push(HeldEventWatcher { changes: self.results.event_changes() })?)
    }

    fn drop(&mut self, watcher: Resource<HeldEventWatcher>) -> Result<()> {
        self.table.delete(watcher)?;
        Ok(())
    }
}

impl wit::HostWatcherWithStore<GuestState> for HasSelf<GuestState> {
    async fn wait_changed(accessor: &Accessor<GuestState, Self>, watcher: Resource<HeldEventWatcher>) -> Result<()> {
        let watcher = Resource::<HeldEventWatcher>::new_borrow(watcher.rep());
        let mut changes =
            accessor.with(|mut access| -> Result<_> { Ok(access.get().table.get(&watcher)?.changes.clone()) })?;
        changes.ready().await;
        accessor.with(|mut access| {
            access.get().table.get_mut(&watcher)?.changes = changes.reported();
            Ok(())
        })
    }
}

fn event(event: v0_2::Event) -> wit::Event {
    let v0_2::Event { id, camera, label, begin, end, best_sequence, best_score } = event;
    wit::Event { id, camera, label, begin: instant(begin), end: end.map(instant), best_sequence, best_score }
}
