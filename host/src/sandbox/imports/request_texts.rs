//! The functions of `wasi:http/types` that keep a text of any length.
//!
//! wasmtime-wasi-http keeps the method and the authority of a request as long as the guest holds it, and accepts
//! whatever one call can pass. The hundreds of requests that a guest can hold would have gigabytes. It limits the other
//! texts itself: the path to 64 KiB, the scheme to 64 bytes, and headers to 128 KiB.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types as v0_2;
use wasmtime_wasi_http::p3::bindings::http::types as v0_3;

use crate::sandbox::state::{ComponentState, GuestState};

/// The longest method and the longest authority, in bytes. Servers need not accept more in a request line than 8000
/// bytes (RFC 9112, section 3).
const MAX_TEXT_BYTES: usize = 8 << 10;

/// The names of the interface in the linker.
const INTERFACE_OF_0_2: &str = "wasi:http/types@0.2.12";
const INTERFACE_OF_0_3: &str = "wasi:http/types@0.3.0";

/// What a function returns to the guest. The other errors are traps.
type Output = wasmtime::Result<(Result<(), ()>,)>;

/// Replaces functions of WASI 0.2 in a linker that has the interface.
pub(in crate::sandbox) fn add_wasi_0_2<T: ComponentState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(INTERFACE_OF_0_2)?;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store: StoreContextMut<'_, T>,
         (request, method): (Resource<v0_2::OutgoingRequest>, v0_2::Method)|
         -> Output {
            if matches!(&method, v0_2::Method::Other(text) if is_too_long(text)) {
                return Ok((Err(()),));
            }
            Ok((v0_2::HostOutgoingRequest::set_method(&mut store.data_mut().http(), request, method)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: StoreContextMut<'_, T>,
         (request, authority): (Resource<v0_2::OutgoingRequest>, Option<String>)|
         -> Output {
            if authority.as_deref().is_some_and(is_too_long) {
                return Ok((Err(()),));
            }
            Ok((v0_2::HostOutgoingRequest::set_authority(&mut store.data_mut().http(), request, authority)?,))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Replaces functions of WASI 0.3 in a linker that has the interface.
pub(in crate::sandbox) fn add_wasi_0_3(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(INTERFACE_OF_0_3)?;
    types.func_wrap(
        "[method]request.set-method",
        |mut store: StoreContextMut<'_, _>, (request, method): (Resource<v0_3::Request>, v0_3::Method)| -> Output {
            if matches!(&method, v0_3::Method::Other(text) if is_too_long(text)) {
                return Ok((Err(()),));
            }
            Ok((v0_3::HostRequest::set_method(&mut store.data_mut().http(), request, method)?,))
        },
    )?;
    types.func_wrap(
        "[method]request.set-authority",
        |mut store: StoreContextMut<'_, _>,
         (request, authority): (Resource<v0_3::Request>, Option<String>)|
         -> Output {
            if authority.as_deref().is_some_and(is_too_long) {
                return Ok((Err(()),));
            }
            Ok((v0_3::HostRequest::set_authority(&mut store.data_mut().http(), request, authority)?,))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn is_too_long(text: &str) -> bool {
    text.len() > MAX_TEXT_BYTES
}
