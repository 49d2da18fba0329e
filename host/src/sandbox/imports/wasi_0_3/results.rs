//! The host side of `hotshoe:server/results@0.3.0`.

use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::{Accessor, HasSelf, Resource};

use super::bindings::hotshoe::server::results as wit;
use super::frames::instant;
use crate::camera::JpegImage;
use crate::sandbox::imports::bindings::hotshoe::server::results as v0_2;
use crate::sandbox::imports::resources::HeldReader;
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn attach(
        &mut self,
        camera: String,
        sequence: u64,
        findings: wit::Findings,
        image: Option<Resource<JpegImage>>,
    ) -> Result<Result<(), wit::ErrorCode>> {
        Ok(v0_2::Host::attach(self, camera, sequence, to_v0_2(findings), image)?.map_err(error_code))
    }

    fn set_zones(
        &mut self,
        camera: String,
        label: String,
        zones: Vec<Vec<wit::Corner>>,
    ) -> Result<Result<(), wit::ErrorCode>> {
        let corners =
            |zone: Vec<wit::Corner>| zone.into_iter().map(|wit::Corner { x, y }| v0_2::Corner { x, y }).collect();
        let zones = zones.into_iter().map(corners).collect();
        Ok(v0_2::Host::set_zones(self, camera, label, zones)?.map_err(error_code))
    }

    fn list_zones(&mut self, camera: String) -> Result<Result<Vec<wit::Zone>, wit::ErrorCode>> {
        let to_wit = |v0_2::Zone { label, corners }| wit::Zone {
            label,
            corners: corners.into_iter().map(|v0_2::Corner { x, y }| wit::Corner { x, y }).collect(),
        };
        let zones = v0_2::Host::list_zones(self, camera)?;
        Ok(zones.map(|zones| zones.into_iter().map(to_wit).collect()).map_err(error_code))
    }

    fn get_entry(&mut self, camera: String, sequence: u64) -> Result<Result<Option<wit::Entry>, wit::ErrorCode>> {
        let found = v0_2::Host::get_entry(self, camera, sequence)?;
        Ok(found.map(|found| found.map(entry)).map_err(error_code))
    }

    fn get_newest_entry(&mut self, camera: String) -> Result<Result<Option<wit::Entry>, wit::ErrorCode>> {
        let found = v0_2::Host::get_newest_entry(self, camera)?;
        Ok(found.map(|found| found.map(entry)).map_err(error_code))
    }
}

impl wit::HostReader for GuestState {
    fn open(&mut self, camera: String) -> Result<Result<Resource<HeldReader>, wit::ErrorCode>> {
        Ok(v0_2::HostReader::open(self, camera)?.map_err(error_code))
    }

    fn next(&mut self, reader: Resource<HeldReader>) -> Result<Option<wit::Entry>> {
        Ok(v0_2::HostReader::next(self, reader)?.map(entry))
    }

    fn drop(&mut self, reader: Resource<HeldReader>) -> Result<()> {
        v0_2::HostReader::drop(self, reader)
    }
}

impl wit::HostReaderWithStore<GuestState> for HasSelf<GuestState> {
    async fn wait_next(
        accessor: &Accessor<GuestState, Self>,
        reader: Resource<HeldReader>,
        timeout_nanoseconds: u64,
    ) -> Result<Option<wit::Entry>> {
        let reader = Resource::<HeldReader>::new_borrow(reader.rep());
        let limit = Duration::from_nanos(timeout_nanoseconds);
        accessor.with(|mut access| access.get().table.get(&reader).map(|reader| reader.wait(limit)))?.await;
        accessor.with(|mut access| wit::HostReader::next(access.get(), reader))
    }
}

fn error_code(error: v0_2::ErrorCode) -> wit::ErrorCode {
    match error {
        v0_2::ErrorCode::UnknownCamera => wit::ErrorCode::UnknownCamera,
        v0_2::ErrorCode::UnknownFrame => wit::ErrorCode::UnknownFrame,
        v0_2::ErrorCode::TooMany(text) => wit::ErrorCode::TooMany(text),
        v0_2::ErrorCode::InvalidValue(text) => wit::ErrorCode::InvalidValue(text),
        v0_2::ErrorCode::Other(text) => wit::ErrorCode::Other(text),
    }
}

fn to_v0_2(findings: wit::Findings) -> v0_2::Findings {
    let wit::Findings { boxes, numbers, texts } = findings;
    let boxes = boxes.into_iter().map(|found| {
        let wit::BoundingBox { label, score, left, top, width, height } = found;
        v0_2::BoundingBox { label, score, left, top, width, height }
    });
    let numbers = numbers.into_iter().map(|wit::Number { name, value }| v0_2::Number { name, value });
    let texts = texts.into_iter().map(|wit::Text { name, value }| v0_2::Text { name, value });
    v0_2::Findings { boxes: boxes.collect(), numbers: numbers.collect(), texts: texts.collect() }
}

fn entry(entry: v0_2::Entry) -> wit::Entry {
    let v0_2::Entry { sequence, monotonic_time, wall_time, findings } = entry;
    let v0_2::Findings { boxes, numbers, texts } = findings;
    let boxes = boxes.into_iter().map(|found| {
        let v0_2::BoundingBox { label, score, left, top, width, height } = found;
        wit::BoundingBox { label, score, left, top, width, height }
    });
    let numbers = numbers.into_iter().map(|v0_2::Number { name, value }| wit::Number { name, value });
    let texts = texts.into_iter().map(|v0_2::Text { name, value }| wit::Text { name, value });
    let findings = wit::Findings { boxes: boxes.collect(), numbers: numbers.collect(), texts: texts.collect() };
    wit::Entry { sequence, monotonic_time, wall_time: instant(wall_time), findings }
}
