//! Creates the store of an instance, with all its limits.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi_http::WasiHttpCtx;

use super::author::Author;
use super::clock::SystemMonotonicClock;
use super::engine::Sandbox;
use super::grants::Grants;
use super::http_hooks::HttpHooks;
use super::imports::stdio::{GuestLog, Output};
use super::lifecycle::Lifecycle;
use super::limits::{HOSTCALL_FUEL, InstanceLimits, MAX_RANDOM_BYTES, MAX_RESOURCES};
use super::load::loader::LoadedGuest;
use super::pixels::InstancePixels;
use super::state::{ComponentState, GuestState};
use crate::camera::Cameras;
use crate::channels::Channels;
use crate::results::Results;

/// The number of epochs after which a guest is interrupted.
const EPOCH_DEADLINE: u64 = 1;

/// The number of interruptions to ignore in each poll. Epochs also pass while a guest waits, so the first interruption
/// may come right after the poll begins. Before each further one, the guest has computed for a whole epoch.
pub(super) const IGNORED_INTERRUPTIONS: u32 = 1;

/// What the instances of all guests share.
pub(super) struct HostContext {
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) cameras: Cameras,
    pub(super) allow_control: bool,
    pub(super) grants: Grants,
    pub(super) channels: Channels,
    pub(super) results: Results,
}

/// Creates the store for an instance of a guest.
pub(super) fn new_store(host: &HostContext, guest: &LoadedGuest, lifecycle: Lifecycle) -> Store<GuestState> {
    let author = Author::Guest(lifecycle.number);
    component_store(host, author, lifecycle, guest.publisher.is_some(), guest.may_be_reused())
}

/// Creates the store for an instance of any component that imports what guests do. `can_publish` is whether it exports
/// `publisher`, and `may_be_reused` whether it may handle several requests.
pub(super) fn component_store(
    host: &HostContext,
    author: Author,
    lifecycle: Lifecycle,
    can_publish: bool,
    may_be_reused: bool,
) -> Store<GuestState> {
    let usage = host.sandbox.usage_by_role();
    let usage = match &author {
        Author::Guest(_) => &usage.guests,
        // Drivers import less than guests, and have stores of their own.
        Author::Camera { .. } => &usage.filters,
    };
    // The guest that serves would publish what a candidate joins, and be judged by that.
    let channels = if lifecycle.is_candidate { host.channels.detached() } else { host.channels.clone() };
    let state = GuestState {
        cameras: host.cameras.clone(),
        allow_control: host.allow_control,
        grants: host.grants.clone(),
        lifecycle,
        channels,
        results: host.results.clone(),
        can_publish,
        subscription: Arc::default(),
        table: ResourceTable::new(),
        open_files: None,
        listings: Arc::default(),
        max_live_requests: 1,
        feeds_held: 0,
        camera_removed: Arc::default(),
        images_held: 0,
        pixels: InstancePixels::new(host.sandbox.pixels().clone()),
        image_streams: Arc::default(),
        channel_streams: Arc::default(),
        frame_pushes: Arc::default(),
        interruptions: Arc::default(),
        may_be_reused,
        reuse_allowed: false,
        limits: InstanceLimits::new(host.sandbox.memory_bytes(), usage.clone()),
        wasi: wasi_context(&host.grants, &author),
        author,
        http: WasiHttpCtx::new(),
        hooks: HttpHooks::new(host.grants.outgoing.instance()),
    };
    limited_store(&host.sandbox, state, HOSTCALL_FUEL)
}

/// Creates what WASI offers to an instance, apart from files and HTTP. `author` writes its output.
pub(super) fn wasi_context(grants: &Grants, author: &Author) -> WasiCtx {
    WasiCtx::builder()
        .monotonic_clock(SystemMonotonicClock)
        .max_random_size(MAX_RANDOM_BYTES)
        .envs(grants.configuration.environment())
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .stdout(GuestLog { output: Output::Stdout, author: author.clone() })
        .stderr(GuestLog { output: Output::Stderr, author: author.clone() })
        .build()
}

/// Creates a store with all limits. `hostcall_fuel` is the most that the component may pass to the host in one call, in
/// bytes.
pub(super) fn limited_store<T: ComponentState>(sandbox: &Sandbox, mut state: T, hostcall_fuel: usize) -> Store<T> {
    let directory = state.grants().directory.clone();
    if let Some(directory) = directory {
        *state.filesystem().ctx = directory.context();
    }
    let mut store = Store::new(sandbox.engine(), state);
    store.limiter(|state| state.limits());
    store.set_hostcall_fuel(hostcall_fuel);
    limit_resources(&mut store, MAX_RESOURCES);
    store.set_epoch_deadline(EPOCH_DEADLINE);
    store.epoch_deadline_callback(|store| {
        let interruptions = store.data().interruptions().fetch_add(1, Ordering::Relaxed);
        Ok(if interruptions < IGNORED_INTERRUPTIONS {
            UpdateDeadline::Continue(EPOCH_DEADLINE)
        } else {
            // Lets other tasks run. A future that only wakes itself would be polled again at once.
            UpdateDeadline::YieldCustom(EPOCH_DEADLINE, Box::pin(tokio::task::yield_now()))
        })
    });
    store
}

/// Limits the number of resources that the component in a store may hold.
pub(super) fn limit_resources<T: ComponentState>(store: &mut Store<T>, most: usize) {
    store.data_mut().ctx().table.set_max_capacity(most);
    store.set_max_component_handles(most);
    if let Some(table) = store.concurrent_resource_table() {
        // Both ends of each stream of WASI 0.3, and calls in progress.
        table.set_max_capacity(4 * most);
    }
}
