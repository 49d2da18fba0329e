//! The functions of `wasi:filesystem/types` that differ from those of wasmtime-wasi.
//!
//! wasmtime-wasi opens whatever a path leads to, in a thread of Tokio's pool. A named pipe without a writer would block
//! the thread forever, and some hundred requests would block the whole pool. It also has no limit on open files. For
//! WASI 0.2, it lists a directory of any size in memory; for WASI 0.3, a listing that the guest does not read blocks a
//! thread.
//!
//! * `access`: what both versions of WASI do. `wasi_0_2` and `wasi_0_3` are thin layers above it. A component can
//!   declare that the descriptors of both versions are the same type, so neither version may do less.

mod access;
mod wasi_0_2;
mod wasi_0_3;

use wasmtime::component::Linker;

use crate::sandbox::state::{ComponentState, GuestState};

/// Replaces functions of WASI 0.2 in a linker that has the interface.
pub(in crate::sandbox) fn add_wasi_0_2<T: ComponentState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    wasi_0_2::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Replaces functions of WASI 0.3 in a linker that has the interface.
pub(in crate::sandbox) fn add_wasi_0_3(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    wasi_0_3::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}
