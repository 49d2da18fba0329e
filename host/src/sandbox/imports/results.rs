//! The host side of `hotshoe:server/results`.

use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, subscribe};

use super::bindings::hotshoe::server::results as wit;
use super::frames::wall_time;
use super::resources::HeldReader;
use crate::camera::JpegImage;
use crate::results::{AttachError, BoundingBox, Entry, Findings, Number, Text, Zone};
use crate::sandbox::clock::nanoseconds;
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn attach(
        &mut self,
        camera: String,
        sequence: u64,
        findings: wit::Findings,
        image: Option<Resource<JpegImage>>,
    ) -> Result<Result<(), wit::ErrorCode>> {
        let image = image.map(|image| self.table.get(&image).cloned()).transpose()?;
        let (findings, generation) = (from_wit(findings), self.lifecycle.number);
        let attached = if self.lifecycle.is_candidate {
            self.results.check(&camera, sequence, findings)
        } else {
            self.results.attach(&camera, sequence, findings, image, generation)
        };
        Ok(attached.map_err(error_code))
    }

    fn set_zones(
        &mut self,
        camera: String,
        label: String,
        zones: Vec<Vec<wit::Corner>>,
    ) -> Result<Result<(), wit::ErrorCode>> {
        let corners = |zone: Vec<wit::Corner>| zone.into_iter().map(|wit::Corner { x, y }| (x, y)).collect();
        let zones: Vec<_> = zones.into_iter().map(corners).collect();
        let set = if self.lifecycle.is_candidate {
            self.results.check_zones(&camera, &label, &zones)
        } else {
            self.results.set_zones(&camera, &label, zones, self.lifecycle.number)
        };
        Ok(set.map_err(error_code))
    }

    fn list_zones(&mut self, camera: String) -> Result<Result<Vec<wit::Zone>, wit::ErrorCode>> {
        let to_wit = |Zone { label, corners }| wit::Zone {
            label,
            corners: corners.into_iter().map(|(x, y)| wit::Corner { x, y }).collect(),
        };
        let zones = self.results.zones(&camera).ok_or(wit::ErrorCode::UnknownCamera);
        Ok(zones.map(|zones| zones.into_iter().map(to_wit).collect()))
    }

    fn get_entry(&mut self, camera: String, sequence: u64) -> Result<Result<Option<wit::Entry>, wit::ErrorCode>> {
        let found = self.results.entry(&camera, sequence).ok_or(wit::ErrorCode::UnknownCamera);
        Ok(found.map(|entry| entry.as_deref().map(to_wit)))
    }

    fn get_newest_entry(&mut self, camera: String) -> Result<Result<Option<wit::Entry>, wit::ErrorCode>> {
        let found = self.results.newest_entry(&camera).ok_or(wit::ErrorCode::UnknownCamera);
        Ok(found.map(|entry| entry.as_deref().map(to_wit)))
    }
}

impl wit::HostReader for GuestState {
    fn open(&mut self, camera: String) -> Result<Result<Resource<HeldReader>, wit::ErrorCode>> {
        let Some(reader) = self.results.reader(&camera) else { return Ok(Err(wit::ErrorCode::UnknownCamera)) };
        let reader = HeldReader { reader, camera_removed: self.camera_removed.clone() };
        Ok(Ok(self.table.push(reader)?))
    }

    fn next(&mut self, reader: Resource<HeldReader>) -> Result<Option<wit::Entry>> {
        Ok(self.table.get_mut(&reader)?.next_entry().as_deref().map(to_wit))
    }

    async fn blocking_next(
        &mut self,
        reader: Resource<HeldReader>,
        timeout_nanoseconds: u64,
    ) -> Result<Option<wit::Entry>> {
        let reader = self.table.get_mut(&reader)?;
        reader.wait(Duration::from_nanos(timeout_nanoseconds)).await;
        Ok(reader.next_entry().as_deref().map(to_wit))
    }

    fn subscribe(&mut self, reader: Resource<HeldReader>) -> Result<Resource<DynPollable>> {
        subscribe(&mut self.table, reader)
    }

    fn drop(&mut self, reader: Resource<HeldReader>) -> Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}

fn error_code(error: AttachError) -> wit::ErrorCode {
    match error {
        AttachError::UnknownCamera => wit::ErrorCode::UnknownCamera,
        AttachError::UnknownFrame => wit::ErrorCode::UnknownFrame,
        AttachError::Findings(error) if error.is_limit() => wit::ErrorCode::TooMany(error.to_string()),
        AttachError::Findings(error) => wit::ErrorCode::InvalidValue(error.to_string()),
    }
}

fn from_wit(findings: wit::Findings) -> Findings {
    let wit::Findings { boxes, numbers, texts } = findings;
    Findings {
        boxes: boxes
            .into_iter()
            .map(|found| {
                let wit::BoundingBox { label, score, left, top, width, height } = found;
                BoundingBox { label, score, left, top, width, height }
            })
            .collect(),
        numbers: numbers.into_iter().map(|wit::Number { name, value }| Number { name, value }).collect(),
        texts: texts.into_iter().map(|wit::Text { name, value }| Text { name, value }).collect(),
    }
}

fn to_wit(entry: &Entry) -> wit::Entry {
    let Findings { boxes, numbers, texts } = entry.findings.clone();
    wit::Entry {
        sequence: entry.sequence,
        monotonic_time: nanoseconds(entry.timestamp.monotonic),
        wall_time: wall_time(entry.timestamp.wall),
        findings: wit::Findings {
            boxes: boxes
                .into_iter()
                .map(|found| {
                    let BoundingBox { label, score, left, top, width, height } = found;
                    wit::BoundingBox { label, score, left, top, width, height }
                })
                .collect(),
            numbers: numbers.into_iter().map(|Number { name, value }| wit::Number { name, value }).collect(),
            texts: texts.into_iter().map(|Text { name, value }| wit::Text { name, value }).collect(),
        },
    }
}
