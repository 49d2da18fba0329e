//! What one instance of a guest has in its hands, and how much of it.
//!
//! There is an instance for each request. It ends with the response, and everything in here with it; or it is made ready
//! for another request, where its guest allows that.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::clocks::HostMonotonicClock;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::component::LoadedGuest;
use super::engine::Sandbox;
use super::error::is_of_system;
use super::imports::stdio::GuestLog;
use super::lifecycle::Lifecycle;
use crate::camera::Cameras;
use crate::camera::frame::monotonic_now;
use crate::channels::{Channels, Joined};

/// The most resources (streams, headers, frames, …) that one instance may hold. A guest that streams holds
/// about ten; without a bound, a leak in a guest would be one in the host.
const RESOURCES: usize = 256;

/// The most that a guest may pass to the host in one call, in bytes. A write to a body is at most 1 MiB.
const CALL_BYTES: usize = 4 << 20;

/// The most random bytes that a guest may have in one call, which nothing can interrupt.
const RANDOM_BYTES: u64 = 64 << 10;

/// The most elements in all tables of an instance together: functions that can be called indirectly. The
/// built-in guest has 30, an interpreter for another language some thousands.
const TABLE_ELEMENTS: usize = 100_000;

/// How many writes of a guest are taken before it must wait: a part's head, image and tail, and one more,
/// so that all of a part can be sent at once.
const WRITES: usize = 3;

/// The number of epochs after which a guest is interrupted.
const TICKS: u64 = 1;

/// The first interruption says nothing: the guest may have just been entered after waiting for many epochs.
/// Only at those after it has a whole one passed while the guest computed, and it must let others run.
pub(super) const FREE_INTERRUPTIONS: u32 = 1;

/// The state behind one instance of a guest.
pub(super) struct GuestState {
    pub(super) cameras: Cameras,
    /// Whether its guest may set what can be set on cameras.
    pub(super) allow_control: bool,
    /// The time in which its guest serves.
    pub(super) lifecycle: Lifecycle,
    pub(super) channels: Channels,
    /// Whether its guest publishes channels.
    pub(super) can_publish: bool,
    /// The channels that the guest joined for the response that it answers with.
    pub(super) joined: Arc<Mutex<Option<Joined>>>,
    pub(super) table: ResourceTable,
    /// How many feeds the guest holds.
    pub(super) feeds_held: u32,
    /// How many frames the guest holds.
    pub(super) frames_held: u32,
    /// How often the guest was interrupted since it was last entered. Set back by who enters it.
    pub(super) interruptions: Arc<AtomicU32>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    limits: Limits,
    /// Whether its guest allows it to answer another request after the one under way.
    pub(super) allows_another: bool,
}

/// What every instance of every guest is given.
pub(super) struct HostContext {
    pub(super) sandbox: Sandbox,
    pub(super) cameras: Cameras,
    pub(super) allow_control: bool,
    pub(super) channels: Channels,
}

/// A store for one instance of this guest, with all its limits set.
pub(super) fn new_store(world: &HostContext, guest: &LoadedGuest, lifecycle: Lifecycle) -> Store<GuestState> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(RESOURCES);
    let wasi = WasiCtx::builder()
        .monotonic_clock(SystemMonotonicClock)
        .max_random_size(RANDOM_BYTES)
        .stdout(GuestLog { name: "stdout", generation: lifecycle.number })
        .stderr(GuestLog { name: "stderr", generation: lifecycle.number })
        .build();
    let memory = world.sandbox.memory_bytes();
    let instance = GuestState {
        cameras: world.cameras.clone(),
        allow_control: world.allow_control,
        lifecycle,
        channels: world.channels.clone(),
        can_publish: guest.publishing.is_some(),
        joined: Arc::default(),
        table,
        feeds_held: 0,
        frames_held: 0,
        interruptions: Arc::default(),
        wasi,
        http: WasiHttpCtx::new(),
        hooks: Hooks,
        limits: Limits { memory_most: memory, memory_left: memory, table_elements_left: TABLE_ELEMENTS },
        allows_another: false,
    };
    let mut store = Store::new(world.sandbox.engine(), instance);
    store.limiter(|instance| &mut instance.limits);
    store.set_hostcall_fuel(CALL_BYTES);
    store.set_max_component_handles(RESOURCES);
    store.set_epoch_deadline(TICKS);
    store.epoch_deadline_callback(|store| {
        let before = store.data().interruptions.fetch_add(1, Ordering::Relaxed);
        Ok(if before < FREE_INTERRUPTIONS {
            UpdateDeadline::Continue(TICKS)
        } else {
            // Tokio's own way of yielding: a future that merely wakes itself would be polled again at once.
            UpdateDeadline::YieldCustom(TICKS, Box::pin(tokio::task::yield_now()))
        })
    });
    store
}

impl GuestState {
    /// Whether the guest holds the body of a response, which it should have finished. `wasi:http` takes a body
    /// that is dropped unfinished for broken off; one that is merely left behind is no better.
    pub(super) fn has_unfinished_body(&mut self) -> bool {
        self.table.iter_mut().any(|resource| resource.is::<HostOutgoingBody>())
    }

    /// Whether the guest holds any resource of the host's.
    pub(super) fn holds_anything(&self) -> bool {
        !self.table.is_empty()
    }

    /// How much linear memory it has, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.limits.memory_most - self.limits.memory_left
    }

    /// Make it ready for another request. What is in the guest's memory stays.
    pub(super) fn make_ready(&mut self) {
        self.allows_another = false;
        // A new one: what the request before left in its own goes with that.
        self.joined = Arc::default();
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

/// What an instance may still take. Growing beyond fails, which WebAssembly lets a guest see and handle.
struct Limits {
    /// What all of its memories together may have, in bytes.
    memory_most: usize,
    /// What is left of that.
    memory_left: usize,
    table_elements_left: usize,
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(take(&mut self.memory_left, desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // What the system refuses ends the instance, with the system's reason. Few guests can go on without memory, and one
        // that traps for want of it would be taken for a broken one.
        if is_of_system(&error) { Err(error) } else { Ok(()) }
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(take(&mut self.table_elements_left, desired.saturating_sub(current)))
    }
}

/// Take `wanted` from what is left, if there is that much. What fails to be granted after all stays taken.
fn take(left: &mut usize, wanted: usize) -> bool {
    let rest = left.checked_sub(wanted);
    *left = rest.unwrap_or(*left);
    rest.is_some()
}

/// How `wasi:http` behaves.
struct Hooks;

impl WasiHttpHooks for Hooks {
    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        WRITES
    }

    /// Never called, since guests are not given `outgoing-handler`. If they were, the answer would be no.
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        Box::new(std::future::ready(Err(HttpError::HttpRequestDenied)))
    }
}

/// What [`WasiHttpHooks::send_request`] comes to.
type SendResult = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>), HttpError>;

/// `CLOCK_MONOTONIC` as guests see it: the very clock that stamps the frames, and not, as by default, one
/// that starts with each instance.
struct SystemMonotonicClock;

impl HostMonotonicClock for SystemMonotonicClock {
    fn resolution(&self) -> u64 {
        nanoseconds(Duration::from_nanos(1))
    }

    fn now(&self) -> u64 {
        nanoseconds(monotonic_now())
    }
}

/// Since boot, in nanoseconds: enough for 584 years.
pub(super) fn nanoseconds(since_boot: Duration) -> u64 {
    u64::try_from(since_boot.as_nanos()).unwrap_or(u64::MAX)
}
