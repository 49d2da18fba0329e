//! The imports that the host provides.

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::p2::bindings::{cli, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi_http::p2::bindings::http::types as http_types;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView as _};

use crate::sandbox::imports::bindings::hotshoe::camera::{cameras, controls, frames, history};
use crate::sandbox::imports::bindings::hotshoe::server::{channels, generations, instances};
use crate::sandbox::state::GuestState;

/// Creates a linker with everything that guests may import.
///
/// It has no files, no sockets and no outgoing HTTP. Those interfaces are not merely disabled; they do not exist.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    frames::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    cameras::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    controls::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    history::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    channels::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    generations::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    instances::add_to_linker::<_, HasSelf<_>>(l, |state: &mut GuestState| state)?;
    http_types::add_to_linker::<_, WasiHttp>(l, &http_types::LinkOptions::default(), GuestState::http)?;
    // Streams and polls, clocks, random numbers, standard input (empty), standard output and error (the log).
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(l)?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |state| state.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |state| state.random())?;
    // The standard libraries of most languages import these even if a program does not use them: the environment, which is
    // empty; `exit`, which traps; and terminals, which do not exist.
    cli::environment::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, GuestState::cli)?;
    Ok(linker)
}
