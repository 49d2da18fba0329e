//! A running driver: an instance that runs while it is polled, and ends when it is dropped.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};

use tokio::sync::watch;
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::WasiHttpCtx;

use super::bindings::exports::hotshoe::camera::source::Settings;
use super::capture::HOSTCALL_FUEL;
use super::error::DriverError;
use super::state::{DriverState, SharedImage};
use crate::camera::image_input::NewestImage;
use crate::camera::source::CaptureOutcome;
use crate::camera::{Dimensions, LostFrames, StreamMode};
use crate::sandbox::author::Author;
use crate::sandbox::call::throttle::{Charges, throttled};
use crate::sandbox::engine::Sandbox;
use crate::sandbox::grants::Grants;
use crate::sandbox::http_hooks::HttpHooks;
use crate::sandbox::imports::bindings::hotshoe::camera::frames;
use crate::sandbox::imports::stdio::Printable;
use crate::sandbox::limits::InstanceLimits;
use crate::sandbox::load::camera_component::CameraComponent as _;
use crate::sandbox::load::driver::LoadedDriver;
use crate::sandbox::store::{IGNORED_INTERRUPTIONS, limited_store, wasi_context};

/// How much of a reason is shown, in characters. It must fit into a placeholder.
const MAX_REASON: usize = 200;

/// What a driver is told about its camera, and what it may use.
#[derive(Clone, Debug, Default)]
pub struct DriverSettings {
    /// The name of the camera, for the log.
    pub camera: Arc<str>,
    /// The requested size of the images.
    pub size: Option<Dimensions>,
    /// The highest frame rate, in frames per second, greater than 0.
    pub rate: Option<f64>,
    /// Options that only the driver knows.
    pub options: Vec<(String, String)>,
    /// What the driver may use.
    pub grants: Grants,
}

type DriverCall = Pin<Box<dyn Future<Output = DriverError> + Send>>;

/// A running driver.
pub struct DriverRun {
    /// `None` once it has ended.
    call: Option<DriverCall>,
    ended: Option<DriverError>,
    newest: SharedImage,
    closing: watch::Sender<bool>,
    /// Whether it computes, or was paused while it did, instead of waiting for something.
    is_computing: Arc<AtomicBool>,
    /// What checking its images takes.
    charges: Charges,
}

impl DriverRun {
    /// Starts a new instance of a driver. Its images are checked and counted by `newest`. Nothing happens before the
    /// first [`poll`](Self::poll).
    pub fn start(sandbox: &Sandbox, driver: &LoadedDriver, settings: &DriverSettings, newest: NewestImage) -> Self {
        let newest = SharedImage::new(newest);
        let (closing, is_closing) = watch::channel(false);
        let interruptions = Arc::<AtomicU32>::default();
        let usage = sandbox.usage_by_role().drivers.clone();
        let author = Author::Camera { role: LoadedDriver::ROLE, camera: settings.camera.clone() };
        let state = DriverState {
            newest: newest.clone(),
            closing: is_closing,
            table: ResourceTable::new(),
            grants: settings.grants.clone(),
            open_files: None,
            wasi: wasi_context(&settings.grants, &author),
            author,
            limits: InstanceLimits::new(sandbox.memory_bytes(), usage.clone()),
            interruptions: interruptions.clone(),
            http: WasiHttpCtx::new(),
            hooks: HttpHooks::new(settings.grants.outgoing.instance()),
        };
        let mut store = limited_store(sandbox, state, HOSTCALL_FUEL);
        let dimensions = |Dimensions { width, height }| frames::Dimensions { width, height };
        let wit_settings = Settings {
            dimensions: settings.size.map(dimensions),
            frame_rate: settings.rate,
            options: settings.options.clone(),
        };
        let driver = driver.driver.clone();
        let mut call = Box::pin(async move {
            let instance = driver.instantiate_async(&mut store).await?;
            instance.hotshoe_camera_source().call_run(&mut store, &wit_settings).await
        });
        let is_computing = Arc::<AtomicBool>::default();
        let computes = is_computing.clone();
        let observed = poll_fn(move |context| {
            interruptions.store(0, Ordering::Relaxed);
            let polled = call.as_mut().poll(context);
            computes.store(interruptions.load(Ordering::Relaxed) > IGNORED_INTERRUPTIONS, Ordering::Relaxed);
            polled
        });
        let charges = Charges::default();
        let charged = charges.clone();
        let call = async move {
            let result: wasmtime::Result<Result<(), String>> = throttled(usage.measure(observed), charged).await;
            match result {
                Ok(Ok(())) => DriverError::Returned,
                Ok(Err(reason)) => DriverError::Reported(printable_reason(&reason)),
                Err(error) => DriverError::from_wasmtime(&error),
            }
        };
        Self { call: Some(Box::pin(call)), ended: None, newest, closing, is_computing, charges }
    }

    /// Runs the driver until it waits for something. Ready when there is an image, or when the driver has ended. Must
    /// be called within a Tokio runtime.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(call) = &mut self.call else { return Poll::Ready(()) };
        if let Poll::Ready(error) = call.as_mut().poll(context) {
            self.call = None;
            self.ended = Some(error);
            return Poll::Ready(());
        }
        if self.newest.lock().is_available() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Checks and takes the newest image, and the frames lost before it. The time counts as computing of the driver.
    pub fn take(&self) -> CaptureOutcome {
        self.charges.charge(|| self.newest.lock().take())
    }

    /// Discards the newest image, and returns the frames lost until now.
    pub fn take_lost(&self) -> LostFrames {
        self.newest.lock().take_lost()
    }

    /// The mode, which is known with the first image.
    pub fn mode(&self) -> Option<StreamMode> {
        self.newest.lock().mode()
    }

    /// Whether the driver has returned or trapped.
    pub fn has_ended(&self) -> bool {
        self.call.is_none()
    }

    /// Why there are no images: the driver has ended, or delivered none for too long.
    pub fn failure(&self) -> Option<DriverError> {
        if let Some(error) = &self.ended {
            return Some(error.clone());
        }
        let silence = self.newest.lock().silence()?;
        let is_computing = self.is_computing.load(Ordering::Relaxed);
        Some(DriverError::Silent { after: silence.after, damaged: silence.damaged, is_computing })
    }

    /// Tells the driver to end. It still has to be polled.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }
}

/// One short line without control characters, because a driver may report anything.
fn printable_reason(reason: &str) -> String {
    let line = Printable(reason.as_bytes()).to_string();
    let line: String = line.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_REASON).collect();
    if line.is_empty() { "the driver gave no reason".to_owned() } else { line }
}
