//! The host side of `hotshoe:camera/cameras@0.3.0`.

use std::time::Duration;

use tokio::time::timeout;
use wasmtime::Result;
use wasmtime::component::{Accessor, HasSelf, Resource};

use super::bindings::hotshoe::camera::cameras as wit;
use super::bindings::hotshoe::camera::frames::Frame;
use crate::camera::JpegImage;
use crate::sandbox::imports::bindings::hotshoe::camera::cameras as v0_2;
use crate::sandbox::imports::resources::{HeldFeed, HeldWatcher};
use crate::sandbox::state::GuestState;

impl wit::Host for GuestState {
    fn list_cameras(&mut self) -> Result<Vec<wit::CameraInfo>> {
        Ok(v0_2::Host::list_cameras(self)?.into_iter().map(camera_info).collect())
    }

    fn list_filters(&mut self, camera: String) -> Result<Result<Vec<wit::FilterInfo>, wit::ErrorCode>> {
        let filters = v0_2::Host::list_filters(self, camera)?.map_err(error_code);
        Ok(filters.map(|filters| filters.into_iter().map(filter_info).collect()))
    }

    fn get_frame(&mut self, camera: String, sequence: u64) -> Result<Result<Option<Frame>, wit::ErrorCode>> {
        let frame = v0_2::Host::get_frame(self, camera, sequence)?;
        Ok(frame.map(|frame| frame.map(Frame::from)).map_err(error_code))
    }
}

impl wit::HostWatcher for GuestState {
    fn new(&mut self) -> Result<Resource<HeldWatcher>> {
        v0_2::HostWatcher::new(self)
    }

    fn changed(&mut self, watcher: Resource<HeldWatcher>) -> Result<bool> {
        v0_2::HostWatcher::changed(self, watcher)
    }

    fn drop(&mut self, watcher: Resource<HeldWatcher>) -> Result<()> {
        v0_2::HostWatcher::drop(self, watcher)
    }
}

impl wit::HostWatcherWithStore<GuestState> for HasSelf<GuestState> {
    async fn wait_changed(
        accessor: &Accessor<GuestState, Self>,
        watcher: Resource<HeldWatcher>,
        timeout_nanoseconds: u64,
    ) -> Result<bool> {
        let watcher = Resource::<HeldWatcher>::new_borrow(watcher.rep());
        let mut changes =
            accessor.with(|mut access| -> Result<_> { Ok(access.get().table.get(&watcher)?.changes.clone()) })?;
        // Waiting cannot fail: the state of the guest owns the sender.
        let _ = timeout(Duration::from_nanos(timeout_nanoseconds), changes.changed()).await;
        accessor.with(|mut access| v0_2::HostWatcher::changed(access.get(), watcher))
    }
}

impl wit::HostFeed for GuestState {
    fn open(&mut self, name: String) -> Result<Result<Resource<HeldFeed>, wit::ErrorCode>> {
        Ok(v0_2::HostFeed::open(self, name)?.map_err(error_code))
    }

    fn next(&mut self, feed: Resource<HeldFeed>) -> Result<Result<Option<Frame>, wit::ErrorCode>> {
        Ok(v0_2::HostFeed::next(self, feed)?.map(|frame| frame.map(Frame::from)).map_err(error_code))
    }

    fn placeholder(&mut self, feed: Resource<HeldFeed>) -> Result<Result<Option<Resource<JpegImage>>, wit::ErrorCode>> {
        Ok(v0_2::HostFeed::placeholder(self, feed)?.map_err(error_code))
    }

    fn camera(&mut self, feed: Resource<HeldFeed>) -> Result<wit::CameraInfo> {
        Ok(camera_info(v0_2::HostFeed::camera(self, feed)?))
    }

    fn drop(&mut self, feed: Resource<HeldFeed>) -> Result<()> {
        v0_2::HostFeed::drop(self, feed)
    }
}

impl wit::HostFeedWithStore<GuestState> for HasSelf<GuestState> {
    async fn wait_next(
        accessor: &Accessor<GuestState, Self>,
        feed: Resource<HeldFeed>,
        timeout_nanoseconds: u64,
    ) -> Result<Result<Option<Frame>, wit::ErrorCode>> {
        let feed = Resource::<HeldFeed>::new_borrow(feed.rep());
        let waiting = accessor.with(|mut access| -> Result<_> {
            let state = access.get();
            if let Err(error) = state.check_images_held() {
                return Ok(Err(error));
            }
            Ok(Ok(state.table.get(&feed)?.wait(Duration::from_nanos(timeout_nanoseconds))))
        })?;
        match waiting {
            Ok(waiting) => waiting.await,
            Err(error) => return Ok(Err(error_code(error))),
        }
        accessor.with(|mut access| wit::HostFeed::next(access.get(), feed))
    }
}

fn error_code(error: v0_2::ErrorCode) -> wit::ErrorCode {
    match error {
        v0_2::ErrorCode::UnknownCamera => wit::ErrorCode::UnknownCamera,
        v0_2::ErrorCode::TooManyFeeds(limit) => wit::ErrorCode::TooManyFeeds(limit),
        v0_2::ErrorCode::TooManyImages(limit) => wit::ErrorCode::TooManyImages(limit),
        v0_2::ErrorCode::Other(text) => wit::ErrorCode::Other(text),
    }
}

fn camera_info(info: v0_2::CameraInfo) -> wit::CameraInfo {
    let v0_2::CameraInfo { name, label, description, state, mode, counts } = info;
    let state = match state {
        v0_2::CameraState::Idle => wit::CameraState::Idle,
        v0_2::CameraState::Starting => wit::CameraState::Starting,
        v0_2::CameraState::Live => wit::CameraState::Live,
        v0_2::CameraState::Lost(v0_2::Outage { cause, message }) => {
            wit::CameraState::Lost(wit::Outage { cause: outage_cause(cause), message })
        }
    };
    let mode = mode.map(|v0_2::Mode { dimensions, frame_rate, pixel_format, jpeg_quality }| wit::Mode {
        dimensions: dimensions.into(),
        frame_rate,
        pixel_format,
        jpeg_quality,
    });
    let v0_2::FrameCounts { frames, dropped, late, flagged, empty, malformed, corrupt } = counts;
    let counts = wit::FrameCounts { frames, dropped, late, flagged, empty, malformed, corrupt };
    wit::CameraInfo { name, label, description, state, mode, counts }
}

fn filter_info(info: v0_2::FilterInfo) -> wit::FilterInfo {
    let v0_2::FilterInfo { description, frame_rate, frame_time, frames, failed } = info;
    wit::FilterInfo { description, frame_rate, frame_time, frames, failed }
}

fn outage_cause(cause: v0_2::OutageCause) -> wit::OutageCause {
    match cause {
        v0_2::OutageCause::NotFound => wit::OutageCause::NotFound,
        v0_2::OutageCause::Busy => wit::OutageCause::Busy,
        v0_2::OutageCause::AccessDenied => wit::OutageCause::AccessDenied,
        v0_2::OutageCause::Unsupported => wit::OutageCause::Unsupported,
        v0_2::OutageCause::Stalled => wit::OutageCause::Stalled,
        v0_2::OutageCause::Failed => wit::OutageCause::Failed,
    }
}
