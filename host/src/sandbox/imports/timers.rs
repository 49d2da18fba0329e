//! The timers of WASI 0.2, of which those that have expired differ from those of wasmtime-wasi.
//!
//! wasmtime-wasi lets other tasks run when a guest waits for such a timer. Tokio wakes the guest only after the poll, so
//! that the guest would seem to wait for something. A guest that does so again and again must count as one that yields.

use tokio::task::yield_now;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::clocks::WasiClocksView as _;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::Host as _;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::async_trait;

use crate::sandbox::call::deferral;
use crate::sandbox::state::ComponentState;

/// The name of the interface in the linker.
const INTERFACE: &str = "wasi:clocks/monotonic-clock@0.2.12";

/// What a function returns to the guest. Errors are traps.
type Output = wasmtime::Result<(Resource<DynPollable>,)>;

/// Replaces functions of WASI 0.2 in a linker that has the interface.
pub(in crate::sandbox) fn add_wasi_0_2<T: ComponentState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut clock = linker.instance(INTERFACE)?;
    clock.func_wrap("subscribe-instant", |mut store: StoreContextMut<'_, T>, (when,): (u64,)| -> Output {
        let state = store.data_mut();
        let is_expired = when <= state.clocks().now()?;
        let pollable = if is_expired { expired(state)? } else { state.clocks().subscribe_instant(when)? };
        Ok((pollable,))
    })?;
    clock.func_wrap("subscribe-duration", |mut store: StoreContextMut<'_, T>, (duration,): (u64,)| -> Output {
        let state = store.data_mut();
        let pollable = if duration == 0 { expired(state)? } else { state.clocks().subscribe_duration(duration)? };
        Ok((pollable,))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

fn expired(state: &mut impl ComponentState) -> wasmtime::Result<Resource<DynPollable>> {
    let table = state.ctx().table;
    let timer = table.push(Expired { has_yielded: false })?;
    subscribe(table, timer)
}

/// A timer that has expired before the guest waits for it.
struct Expired {
    has_yielded: bool,
}

#[async_trait]
impl Pollable for Expired {
    async fn ready(&mut self) {
        // Programs wait for it together with others, to find out which of those are ready. So let Tokio look at sockets
        // once, as wasmtime-wasi does.
        if !std::mem::replace(&mut self.has_yielded, true) {
            deferral::note();
            yield_now().await;
        }
    }
}
