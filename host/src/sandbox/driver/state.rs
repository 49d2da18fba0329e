//! The data of a driver's store.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::camera::image_input::NewestImage;
use crate::sandbox::author::Author;
use crate::sandbox::grants::{Grants, OpenFiles};
use crate::sandbox::http_hooks::HttpHooks;
use crate::sandbox::limits::InstanceLimits;
use crate::sandbox::state::ComponentState;

/// The newest image of a running driver. The instance replaces it, and the camera takes it.
#[derive(Clone)]
pub(super) struct SharedImage(Arc<Mutex<NewestImage>>);

impl SharedImage {
    pub(super) fn new(image: NewestImage) -> Self {
        Self(Arc::new(Mutex::new(image)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, NewestImage> {
        // Checking an image does not panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The data of a driver's store.
pub(in crate::sandbox) struct DriverState {
    pub(super) newest: SharedImage,
    /// Whether the driver should end.
    pub(super) closing: watch::Receiver<bool>,
    pub(super) table: ResourceTable,
    pub(super) grants: Grants,
    pub(super) open_files: Option<OpenFiles>,
    pub(super) author: Author,
    pub(super) limits: InstanceLimits,
    pub(super) interruptions: Arc<AtomicU32>,
    pub(super) wasi: WasiCtx,
    pub(super) http: WasiHttpCtx,
    pub(super) hooks: HttpHooks,
}

impl ComponentState for DriverState {
    fn grants(&self) -> &Grants {
        &self.grants
    }

    fn open_files(&mut self) -> &mut Option<OpenFiles> {
        &mut self.open_files
    }

    fn author(&self) -> &Author {
        &self.author
    }

    fn limits(&mut self) -> &mut InstanceLimits {
        &mut self.limits
    }

    fn interruptions(&self) -> &AtomicU32 {
        &self.interruptions
    }
}

impl WasiView for DriverState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for DriverState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}
