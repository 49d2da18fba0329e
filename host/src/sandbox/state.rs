//! The data of stores.

use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex};

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::author::Author;
use super::grants::{Grants, OpenFiles};
use super::http_hooks::HttpHooks;
use super::lifecycle::Lifecycle;
use super::limits::InstanceLimits;
use super::pixels::InstancePixels;
use crate::camera::Cameras;
use crate::channels::{Channels, Subscription};
use crate::results::Results;

/// The data of a store as far as guests and the components of cameras have it in common.
pub(super) trait ComponentState: WasiView + WasiHttpView + 'static {
    /// What the component may use.
    fn grants(&self) -> &Grants;

    /// The files that the component has open. `None` until it opens one.
    fn open_files(&mut self) -> &mut Option<OpenFiles>;

    /// Whose lines the log contains.
    fn author(&self) -> &Author;

    fn limits(&mut self) -> &mut InstanceLimits;

    /// The number of requests that the component may handle at the same time.
    fn max_live_requests(&self) -> u32 {
        1
    }

    /// The number of streams of the entries of a directory that the component holds (WASI 0.3).
    fn directory_streams(&self) -> usize {
        0
    }

    /// The number of epoch interruptions during the current poll. Whoever polls resets it.
    fn interruptions(&self) -> &AtomicU32;
}

/// The data of one instance's store. It lives for one request, or for several if the guest allows reuse.
pub(super) struct GuestState {
    pub(super) cameras: Cameras,
    /// Whether the guest may read and set the controls of cameras.
    pub(super) allow_control: bool,
    /// What else the guest may use.
    pub(super) grants: Grants,
    /// The generation that the instance belongs to.
    pub(super) lifecycle: Lifecycle,
    pub(super) author: Author,
    pub(super) channels: Channels,
    pub(super) results: Results,
    /// Whether the guest exports `publisher`.
    pub(super) can_publish: bool,
    /// The channels that will write the body of the response, if the guest has joined any.
    pub(super) subscription: Arc<Mutex<Option<Subscription>>>,
    pub(super) table: ResourceTable,
    /// The files that the guest has open. `None` until it opens one.
    pub(super) open_files: Option<OpenFiles>,
    /// One more reference for each stream of the entries of a directory (WASI 0.3).
    pub(super) listings: Arc<()>,
    /// The number of requests that the instance may handle at the same time. Its limits on feeds and images are this
    /// many times those of an instance that handles one.
    pub(super) max_live_requests: u32,
    /// The number of feeds that the guest holds.
    pub(super) feeds_held: u32,
    /// Whether the camera of a feed or of a reader of results was removed, and the guest has asked for more of it since.
    /// The host then ends the publisher, the worker, or the stream that the instance writes.
    pub(super) camera_removed: Arc<AtomicBool>,
    /// The number of images that the guest holds.
    pub(super) images_held: u32,
    /// The pictures that the guest holds.
    pub(super) pixels: InstancePixels,
    /// One more reference for each `stream<u8>` of an image whose bytes are not yet read or sent. They count as images.
    pub(super) image_streams: Arc<()>,
    /// One more reference for each stream of a channel that the guest holds.
    pub(super) channel_streams: Arc<()>,
    /// One more reference for each call of `channel.push-frames` that has not returned.
    pub(super) frame_pushes: Arc<()>,
    /// See [`ComponentState::interruptions`].
    pub(super) interruptions: Arc<AtomicU32>,
    /// Whether this instance may handle several requests if the guest allows it.
    pub(super) may_be_reused: bool,
    /// Whether the guest allows this instance to handle another request after the current one.
    pub(super) reuse_allowed: bool,
    pub(super) limits: InstanceLimits,
    pub(super) wasi: WasiCtx,
    pub(super) http: WasiHttpCtx,
    pub(super) hooks: HttpHooks,
}

impl GuestState {
    /// Whether the guest holds any resource of the host.
    pub(super) fn holds_resources(&self) -> bool {
        !self.table.is_empty()
    }

    /// How much linear memory the instance has, in bytes.
    pub(super) fn memory_used(&self) -> usize {
        self.limits.memory_used()
    }

    /// Prepares the state for another request. The guest's memory stays as it is.
    pub(super) fn reset(&mut self) {
        self.reuse_allowed = false;
        // Drops a subscription that the last request has joined but not used.
        self.subscription = Arc::default();
        self.hooks.reset();
    }
}

impl ComponentState for GuestState {
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

    fn max_live_requests(&self) -> u32 {
        self.max_live_requests
    }

    fn directory_streams(&self) -> usize {
        Arc::strong_count(&self.listings) - 1
    }

    fn interruptions(&self) -> &AtomicU32 {
        &self.interruptions
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}
