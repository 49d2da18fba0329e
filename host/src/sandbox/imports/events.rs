//! The host side of `hotshoe:server/events`.

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::async_trait;

use super::bindings::hotshoe::camera::cameras::ErrorCode;
use super::bindings::hotshoe::server::events as wit;
use super::frames::wall_time;
use crate::camera::JpegImage;
use crate::results::{Event, EventChanges};
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn list_events(&mut self) -> Result<Vec<wit::Event>> {
        Ok(self.results.events().into_iter().map(event).collect())
    }

    fn get_image(&mut self, id: u64) -> Result<Result<Option<Resource<JpegImage>>, wit::ErrorCode>> {
        if let Err(error) = self.check_images_held() {
            return Ok(Err(match error {
                ErrorCode::TooManyImages(limit) => wit::ErrorCode::TooManyImages(limit),
                other => wit::ErrorCode::Other(format!("{other:?}")),
            }));
        }
        let image = self.results.event_image(id);
        image.map(|image| self.push_image(image)).transpose().map(Ok)
    }

    fn subscribe(&mut self) -> Result<Resource<DynPollable>> {
        let changes = self.table.push(Changes(self.results.event_changes()))?;
        subscribe(&mut self.table, changes)
    }
}

fn event(event: Event) -> wit::Event {
    wit::Event {
        begin: wall_time(event.begin),
        end: event.end.map(wall_time),
        id: event.id,
        camera: event.camera,
        label: event.label,
        best_sequence: event.best_sequence,
        best_score: event.best_score,
    }
}

/// Becomes ready when an event begins or ends.
struct Changes(EventChanges);

#[async_trait]
impl Pollable for Changes {
    async fn ready(&mut self) {
        self.0.ready().await;
    }
}
