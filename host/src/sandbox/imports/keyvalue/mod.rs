//! The host side of `wasi:keyvalue`, over the [state](crate::sandbox::grants::State) that all guests share.
//!
//! There is no released version. Toolchains use two drafts that are not compatible with each other: `0.2.0-draft`
//! (wasmCloud, wasmtime) and `0.2.0-draft2` (Spin).

mod bindings;
mod draft;
mod draft2;

use wasmtime::component::{HasSelf, Linker};

use crate::sandbox::state::GuestState;

/// Adds both versions to a linker.
pub(in crate::sandbox) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    use self::bindings::{draft, draft2};

    draft::wasi::keyvalue::store::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    draft::wasi::keyvalue::atomics::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    draft::wasi::keyvalue::batch::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    draft2::wasi::keyvalue::store::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    draft2::wasi::keyvalue::atomics::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    draft2::wasi::keyvalue::batch::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}
