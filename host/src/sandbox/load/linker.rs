//! The imports that the host provides.

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi_http::WasiHttp;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types as http_types};

use crate::sandbox::driver::bindings::hotshoe::camera::capture;
use crate::sandbox::driver::state::DriverState;
use crate::sandbox::imports::bindings::hotshoe::camera::{cameras, controls, frames, history, pixels};
use crate::sandbox::imports::bindings::hotshoe::server::{channels, events, generations, instances, results};
use crate::sandbox::imports::wasi_0_3::bindings::hotshoe::camera::{
    cameras as cameras_0_3, controls as controls_0_3, frames as frames_0_3, history as history_0_3,
};
use crate::sandbox::imports::wasi_0_3::bindings::hotshoe::server::{
    channels as channels_0_3, events as events_0_3, generations as generations_0_3, results as results_0_3,
};
use crate::sandbox::imports::{files, keyvalue, logging, request_texts, timers};
use crate::sandbox::state::{ComponentState, GuestState};

/// Creates a linker with everything that guests may import.
///
/// Toolchains emit imports that a program never uses, so the linker has all interfaces of WASI 0.2 and 0.3, whatever
/// the [`Grants`](crate::sandbox::grants::Grants). A component of WASI 0.3 often imports some of 0.2, too. Without a
/// grant, interfaces refuse every call: `store.rs` preopens no directory and allows no socket, and `grants/outgoing/`
/// denies requests. There are no terminals.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    frames::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    cameras::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    controls::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    history::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    pixels::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    channels::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    events::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    generations::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    instances::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    results::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    frames_0_3::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    cameras_0_3::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    controls_0_3::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    history_0_3::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    channels_0_3::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    events_0_3::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    generations_0_3::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    results_0_3::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    add_wasi_0_2(l)?;
    wasmtime_wasi_http::p3::add_to_linker(l)?;
    request_texts::add_wasi_0_3(l)?;
    wasmtime_wasi::p3::add_to_linker(l)?;
    files::add_wasi_0_3(l)?;
    keyvalue::add_to_linker(l)?;
    Ok(linker)
}

/// Creates a linker with everything that drivers of cameras may import: WASI 0.2 as guests have it, and
/// `hotshoe:camera/capture`. They see no cameras, and share no state with guests.
pub(super) fn driver_linker(engine: &Engine) -> wasmtime::Result<Linker<DriverState>> {
    let mut linker = Linker::new(engine);
    capture::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut DriverState| state)?;
    add_wasi_0_2(&mut linker)?;
    Ok(linker)
}

/// Adds WASI 0.2, with HTTP, logging and configuration.
fn add_wasi_0_2<T: ComponentState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    http_types::add_to_linker::<_, WasiHttp>(linker, &http_types::LinkOptions::default(), T::http)?;
    request_texts::add_wasi_0_2(linker)?;
    outgoing_handler::add_to_linker::<_, WasiHttp>(linker, T::http)?;
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    files::add_wasi_0_2(linker)?;
    timers::add_wasi_0_2(linker)?;
    logging::add_to_linker(linker)?;
    wasmtime_wasi_config::add_to_linker(linker, |state| state.grants().configuration.store())
}
