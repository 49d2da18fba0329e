//! The host side of `hotshoe:camera/cameras`.

use std::time::Duration;

use tokio::time::timeout;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, subscribe};

use super::bindings::hotshoe::camera::cameras as wit;
use super::bindings::hotshoe::camera::frames::Frame;
use super::frames::dimensions;
use super::resources::{CameraRemoved, HeldFeed, HeldWatcher};
use crate::camera::filter::FilterReport;
use crate::camera::status::{Outage, OutageCause};
use crate::camera::{Camera, FrameCounts, JpegImage, LostFrames, State, StreamMode};
use crate::sandbox::state::GuestState;

/// The maximum number of feeds that one instance may hold for each request that it handles at the same time. Enough for
/// a guest that combines several cameras into one image.
const MAX_FEEDS: u32 = 16;

impl wit::Host for GuestState {
    fn list_cameras(&mut self) -> Result<Vec<wit::CameraInfo>> {
        Ok(self.cameras.list().iter().map(|camera| camera_info(camera)).collect())
    }

    fn list_filters(&mut self, camera: String) -> Result<Result<Vec<wit::FilterInfo>, wit::ErrorCode>> {
        let Some(camera) = self.cameras.get(&camera) else { return Ok(Err(wit::ErrorCode::UnknownCamera)) };
        Ok(Ok(camera.filters().into_iter().map(filter_info).collect()))
    }

    fn get_frame(&mut self, camera: String, sequence: u64) -> Result<Result<Option<Frame>, wit::ErrorCode>> {
        let Some(camera) = self.cameras.get(&camera) else { return Ok(Err(wit::ErrorCode::UnknownCamera)) };
        let frame = camera.frame(sequence);
        if let Err(error) = self.check_images_held() {
            return Ok(Err(error));
        }
        frame.map(|frame| self.push_frame(&frame)).transpose().map(Ok)
    }
}

impl wit::HostWatcher for GuestState {
    fn new(&mut self) -> Result<Resource<HeldWatcher>> {
        Ok(self.table.push(HeldWatcher { changes: self.cameras.state_changes() })?)
    }

    fn changed(&mut self, watcher: Resource<HeldWatcher>) -> Result<bool> {
        let changes = &mut self.table.get_mut(&watcher)?.changes;
        let has_changed = changes.has_changed().unwrap_or_default();
        changes.mark_unchanged();
        Ok(has_changed)
    }

    async fn blocking_changed(&mut self, watcher: Resource<HeldWatcher>, timeout_nanoseconds: u64) -> Result<bool> {
        let watcher = self.table.get_mut(&watcher)?;
        // Waiting cannot fail: `self.cameras` owns the sender.
        Ok(timeout(Duration::from_nanos(timeout_nanoseconds), watcher.changes.changed()).await.is_ok())
    }

    fn subscribe(&mut self, watcher: Resource<HeldWatcher>) -> Result<Resource<DynPollable>> {
        subscribe(&mut self.table, watcher)
    }

    fn drop(&mut self, watcher: Resource<HeldWatcher>) -> Result<()> {
        self.table.delete(watcher)?;
        Ok(())
    }
}

impl wit::HostFeed for GuestState {
    fn open(&mut self, name: String) -> Result<Result<Resource<HeldFeed>, wit::ErrorCode>> {
        let Some(camera) = self.cameras.get(&name) else { return Ok(Err(wit::ErrorCode::UnknownCamera)) };
        let limit = MAX_FEEDS * self.max_live_requests;
        if self.feeds_held >= limit {
            return Ok(Err(wit::ErrorCode::TooManyFeeds(limit)));
        }
        let (lifecycle, camera_removed) = (self.lifecycle.clone(), self.camera_removed.clone());
        let feed = self.table.push(HeldFeed::new(camera.feed(), lifecycle, camera_removed))?;
        self.feeds_held += 1;
        Ok(Ok(feed))
    }

    fn next(&mut self, feed: Resource<HeldFeed>) -> Result<Result<Option<Frame>, wit::ErrorCode>> {
        if let Err(error) = self.check_images_held() {
            return Ok(Err(error));
        }
        match self.table.get(&feed)?.newest() {
            Ok(frame) => frame.map(|frame| self.push_frame(&frame)).transpose().map(Ok),
            Err(CameraRemoved) => Ok(Err(wit::ErrorCode::UnknownCamera)),
        }
    }

    async fn blocking_next(
        &mut self,
        feed: Resource<HeldFeed>,
        timeout_nanoseconds: u64,
    ) -> Result<Result<Option<Frame>, wit::ErrorCode>> {
        if let Err(error) = self.check_images_held() {
            return Ok(Err(error));
        }
        self.table.get(&feed)?.wait(Duration::from_nanos(timeout_nanoseconds)).await;
        wit::HostFeed::next(self, feed)
    }

    fn placeholder(&mut self, feed: Resource<HeldFeed>) -> Result<Result<Option<Resource<JpegImage>>, wit::ErrorCode>> {
        if let Err(error) = self.check_images_held() {
            return Ok(Err(error));
        }
        let placeholder = self.table.get(&feed)?.lock().placeholder();
        placeholder.map(|image| self.push_image(image)).transpose().map(Ok)
    }

    fn subscribe(&mut self, feed: Resource<HeldFeed>) -> Result<Resource<DynPollable>> {
        subscribe(&mut self.table, feed)
    }

    fn camera(&mut self, feed: Resource<HeldFeed>) -> Result<wit::CameraInfo> {
        Ok(camera_info(self.table.get(&feed)?.lock().camera()))
    }

    fn drop(&mut self, feed: Resource<HeldFeed>) -> Result<()> {
        self.table.delete(feed)?;
        self.feeds_held = self.feeds_held.saturating_sub(1);
        Ok(())
    }
}

fn camera_info(camera: &Camera) -> wit::CameraInfo {
    let status = camera.status();
    wit::CameraInfo {
        name: camera.name().to_owned(),
        label: camera.label().to_owned(),
        description: camera.description(),
        state: match status.state {
            State::Idle => wit::CameraState::Idle,
            State::Starting => wit::CameraState::Starting,
            State::Live => wit::CameraState::Live,
            State::Lost(outage) => wit::CameraState::Lost(wit_outage(&outage)),
        },
        mode: status.mode.map(mode),
        counts: frame_counts(camera.counts()),
    }
}

fn filter_info(FilterReport { description, rate, cost, frames, busy: _, failed }: FilterReport) -> wit::FilterInfo {
    let frame_time = u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX);
    wit::FilterInfo { description, frame_rate: rate, frame_time, frames, failed }
}

fn mode(mode: StreamMode) -> wit::Mode {
    wit::Mode {
        dimensions: dimensions(mode.dimensions),
        frame_rate: mode.rate,
        pixel_format: mode.format.map(|format| format.to_string()),
        jpeg_quality: mode.quality,
    }
}

fn frame_counts(FrameCounts { frames, lost }: FrameCounts) -> wit::FrameCounts {
    let LostFrames { dropped, late, flagged, empty, malformed, corrupt } = lost;
    wit::FrameCounts { frames, dropped, late, flagged, empty, malformed, corrupt }
}

fn wit_outage(outage: &Outage) -> wit::Outage {
    let cause = match outage.cause {
        OutageCause::NotFound => wit::OutageCause::NotFound,
        OutageCause::Busy => wit::OutageCause::Busy,
        OutageCause::AccessDenied => wit::OutageCause::AccessDenied,
        OutageCause::Unsupported => wit::OutageCause::Unsupported,
        OutageCause::Stalled => wit::OutageCause::Stalled,
        OutageCause::Failed => wit::OutageCause::Failed,
    };
    wit::Outage { cause, message: outage.message.to_string() }
}
