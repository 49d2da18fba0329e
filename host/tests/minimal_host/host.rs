//! The host: `hotshoe:camera` for one fake camera.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::timeout;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Engine, Result};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{DynInputStream, DynPollable, Pollable, subscribe};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, async_trait};

use self::hotshoe::camera::{cameras, controls, frames, history};

wasmtime::component::bindgen!({
    path: ["../wit/camera", "tests/minimal_host/world.wit"],
    world: "example:component/example",
    imports: {
        "hotshoe:camera/cameras.[method]feed.blocking-next": async | trappable,
        "hotshoe:camera/cameras.[method]watcher.blocking-changed": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "hotshoe:camera/frames.image": Image,
        "hotshoe:camera/cameras.feed": Feed,
        "hotshoe:camera/cameras.watcher": Watcher,
    },
});

/// The image that tells viewers why there is no picture.
pub const PLACEHOLDER: &[u8] = b"a JPEG image that says that the camera is unplugged";

/// A camera that delivers what a test passes to it.
#[derive(Clone)]
pub struct Fake {
    name: &'static str,
    status: Arc<watch::Sender<Status>>,
}

/// The camera's state and newest frame. All feeds share it, and receive only the newest one.
#[derive(Clone, Default)]
struct Status {
    is_unplugged: bool,
    frames: u64,
    newest: Option<Captured>,
}

#[derive(Clone)]
struct Captured {
    sequence: u64,
    monotonic: Duration,
    wall: SystemTime,
    image: Image,
}

impl Fake {
    pub fn new(name: &'static str) -> Self {
        Self { name, status: Arc::new(watch::Sender::new(Status::default())) }
    }

    /// Delivers a frame to all feeds. Ends an outage.
    pub fn deliver(&self, image: &[u8]) {
        self.status.send_modify(|status| {
            status.is_unplugged = false;
            status.newest = Some(Captured {
                sequence: status.frames,
                monotonic: started().elapsed(),
                wall: SystemTime::now(),
                image: Image(image.into()),
            });
            status.frames += 1;
        });
    }

    /// Starts an outage.
    pub fn unplug(&self) {
        self.status.send_modify(|status| {
            status.is_unplugged = true;
            status.newest = None;
        });
    }

    fn info(&self) -> cameras::CameraInfo {
        let status = self.status.borrow();
        let state = if status.is_unplugged {
            let message = "the camera is unplugged; plug it in".to_owned();
            cameras::CameraState::Lost(cameras::Outage { cause: cameras::OutageCause::NotFound, message })
        } else {
            cameras::CameraState::Live
        };
        cameras::CameraInfo {
            name: self.name.to_owned(),
            label: self.name.to_owned(),
            description: "a fake camera".to_owned(),
            state,
            mode: None,
            counts: cameras::FrameCounts {
                frames: status.frames,
                dropped: 0,
                late: 0,
                flagged: 0,
                empty: 0,
                malformed: 0,
                corrupt: 0,
            },
        }
    }
}

/// The start of the monotonic clock. A host that also offers `wasi:clocks` must use the clock of that interface.
fn started() -> Instant {
    static STARTED: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *STARTED.get_or_init(Instant::now)
}

/// An image. Clones share the bytes.
#[derive(Clone)]
pub struct Image(Arc<[u8]>);

/// A position in the frames of the camera.
pub struct Feed {
    status: watch::Receiver<Status>,
    /// The sequence number of the last frame that was returned.
    last: Option<u64>,
}

impl Feed {
    fn is_new(last: Option<u64>, status: &Status) -> bool {
        status.newest.as_ref().is_some_and(|frame| Some(frame.sequence) != last)
    }

    /// Returns the newest frame if it was not returned yet.
    fn next(&mut self) -> Option<Captured> {
        let status = self.status.borrow_and_update();
        let frame = status.newest.clone().filter(|_| Self::is_new(self.last, &status))?;
        self.last = Some(frame.sequence);
        Some(frame)
    }
}

#[async_trait]
impl Pollable for Feed {
    async fn ready(&mut self) {
        let last = self.last;
        // Fails only if the camera is dropped, but the store owns it.
        let _ = self.status.wait_for(|status| Self::is_new(last, status)).await;
    }
}

/// A watcher of the camera's state.
pub struct Watcher {
    status: watch::Receiver<Status>,
    was_unplugged: bool,
}

impl Watcher {
    fn changed(&mut self) -> bool {
        let is_unplugged = self.status.borrow().is_unplugged;
        std::mem::replace(&mut self.was_unplugged, is_unplugged) != is_unplugged
    }
}

#[async_trait]
impl Pollable for Watcher {
    async fn ready(&mut self) {
        let was_unplugged = self.was_unplugged;
        let _ = self.status.wait_for(|status| status.is_unplugged != was_unplugged).await;
    }
}

/// The data of the store.
pub struct HostState {
    camera: Fake,
    table: ResourceTable,
    wasi: WasiCtx,
}

impl HostState {
    pub fn new(camera: Fake) -> Self {
        Self { camera, table: ResourceTable::new(), wasi: WasiCtx::builder().build() }
    }

    fn has_camera(&self, name: &str) -> bool {
        name == self.camera.name
    }

    fn push_frame(&mut self, frame: Captured) -> Result<frames::Frame> {
        let wall = frame.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(frames::Frame {
            sequence: frame.sequence,
            monotonic_time: frame.monotonic.as_nanos() as u64,
            wall_time: Datetime { seconds: wall.as_secs(), nanoseconds: wall.subsec_nanos() },
            image: self.table.push(frame.image)?,
        })
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Creates a linker with `hotshoe:camera` and WASI, whose streams and pollables it uses.
pub fn example_linker(engine: &Engine) -> Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    frames::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)?;
    cameras::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)?;
    controls::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)?;
    history::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut HostState| state)?;
    Ok(linker)
}

impl frames::Host for HostState {}

impl frames::HostImage for HostState {
    fn info(&mut self, image: Resource<Image>) -> Result<frames::ImageInfo> {
        Ok(frames::ImageInfo {
            encoding: frames::Encoding::Jpeg,
            dimensions: frames::Dimensions { width: 640, height: 480 },
            length: self.table.get(&image)?.0.len() as u64,
        })
    }

    fn read(&mut self, image: Resource<Image>) -> Result<Vec<u8>> {
        Ok(self.table.get(&image)?.0.to_vec())
    }

    fn read_via_stream(&mut self, image: Resource<Image>) -> Result<Resource<DynInputStream>> {
        let bytes = self.table.get(&image)?.0.to_vec();
        let stream: DynInputStream = Box::new(MemoryInputPipe::new(bytes));
        Ok(self.table.push_child(stream, &image)?)
    }

    fn drop(&mut self, image: Resource<Image>) -> Result<()> {
        self.table.delete(image)?;
        Ok(())
    }
}

impl cameras::Host for HostState {
    fn list_cameras(&mut self) -> Result<Vec<cameras::CameraInfo>> {
        Ok(vec![self.camera.info()])
    }

    fn list_filters(&mut self, name: String) -> Result<Result<Vec<cameras::FilterInfo>, cameras::ErrorCode>> {
        Ok(if self.has_camera(&name) { Ok(Vec::new()) } else { Err(cameras::ErrorCode::UnknownCamera) })
    }

    fn get_frame(&mut self, name: String, sequence: u64) -> Result<Result<Option<frames::Frame>, cameras::ErrorCode>> {
        if !self.has_camera(&name) {
            return Ok(Err(cameras::ErrorCode::UnknownCamera));
        }
        // This host remembers only the newest frame.
        let newest = self.camera.status.borrow().newest.clone().filter(|frame| frame.sequence == sequence);
        newest.map(|frame| self.push_frame(frame)).transpose().map(Ok)
    }
}

impl cameras::HostFeed for HostState {
    fn open(&mut self, name: String) -> Result<Result<Resource<Feed>, cameras::ErrorCode>> {
        if !self.has_camera(&name) {
            return Ok(Err(cameras::ErrorCode::UnknownCamera));
        }
        let feed = Feed { status: self.camera.status.subscribe(), last: None };
        Ok(Ok(self.table.push(feed)?))
    }

    fn next(&mut self, feed: Resource<Feed>) -> Result<Result<Option<frames::Frame>, cameras::ErrorCode>> {
        let frame = self.table.get_mut(&feed)?.next();
        frame.map(|frame| self.push_frame(frame)).transpose().map(Ok)
    }

    async fn blocking_next(
        &mut self,
        feed: Resource<Feed>,
        nanoseconds: u64,
    ) -> Result<Result<Option<frames::Frame>, cameras::ErrorCode>> {
        let feed = self.table.get_mut(&feed)?;
        let (last, was_unplugged) = (feed.last, feed.status.borrow().is_unplugged);
        let wakes = |status: &Status| Feed::is_new(last, status) || (!was_unplugged && status.is_unplugged);
        let _ = timeout(Duration::from_nanos(nanoseconds), feed.status.wait_for(wakes)).await;
        let frame = feed.next();
        frame.map(|frame| self.push_frame(frame)).transpose().map(Ok)
    }

    fn placeholder(&mut self, feed: Resource<Feed>) -> Result<Result<Option<Resource<Image>>, cameras::ErrorCode>> {
        if !self.table.get(&feed)?.status.borrow().is_unplugged {
            return Ok(Ok(None));
        }
        Ok(Ok(Some(self.table.push(Image(PLACEHOLDER.into()))?)))
    }

    fn subscribe(&mut self, feed: Resource<Feed>) -> Result<Resource<DynPollable>> {
        subscribe(&mut self.table, feed)
    }

    fn camera(&mut self, _: Resource<Feed>) -> Result<cameras::CameraInfo> {
        Ok(self.camera.info())
    }

    fn drop(&mut self, feed: Resource<Feed>) -> Result<()> {
        self.table.delete(feed)?;
        Ok(())
    }
}

impl cameras::HostWatcher for HostState {
    fn new(&mut self) -> Result<Resource<Watcher>> {
        let status = self.camera.status.subscribe();
        let was_unplugged = status.borrow().is_unplugged;
        Ok(self.table.push(Watcher { status, was_unplugged })?)
    }

    fn changed(&mut self, watcher: Resource<Watcher>) -> Result<bool> {
        Ok(self.table.get_mut(&watcher)?.changed())
    }

    async fn blocking_changed(&mut self, watcher: Resource<Watcher>, nanoseconds: u64) -> Result<bool> {
        let watcher = self.table.get_mut(&watcher)?;
        let _ = timeout(Duration::from_nanos(nanoseconds), watcher.ready()).await;
        Ok(watcher.changed())
    }

    fn subscribe(&mut self, watcher: Resource<Watcher>) -> Result<Resource<DynPollable>> {
        subscribe(&mut self.table, watcher)
    }

    fn drop(&mut self, watcher: Resource<Watcher>) -> Result<()> {
        self.table.delete(watcher)?;
        Ok(())
    }
}

/// This host has no controls, so it denies access to them.
impl controls::Host for HostState {
    fn blocking_list_controls(&mut self, _: String) -> Result<Result<Vec<controls::Control>, controls::ErrorCode>> {
        Ok(Err(controls::ErrorCode::NotAllowed))
    }

    fn blocking_set_control(&mut self, _: String, _: String, _: i64) -> Result<Result<i64, controls::ErrorCode>> {
        Ok(Err(controls::ErrorCode::NotAllowed))
    }
}

/// This host remembers no frames.
impl history::Host for HostState {
    fn list_entries(
        &mut self,
        name: String,
        _: u64,
        _: u32,
    ) -> Result<Result<Vec<history::Entry>, history::ErrorCode>> {
        if self.has_camera(&name) { Ok(Ok(Vec::new())) } else { Ok(Err(history::ErrorCode::UnknownCamera)) }
    }
}
