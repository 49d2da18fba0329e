//! The functions of `wasi:http/types` that keep a text of any length.
//!
//! wasmtime-wasi-http keeps the method and the authority of a request as long as the guest holds it, and accepts
//! whatever one call can pass. The hundreds of requests that a guest can hold would have gigabytes. It limits the other
//! texts itself: the path to 64 KiB, the scheme to 64 bytes, and headers to 128 KiB.

use wasmtime::StoreContextMut;
use wasmtime::component::{Lift, Linker, LinkerInstance, Resource};
use wasmtime_wasi_http::WasiHttpCtxView;
use wasmtime_wasi_http::p2::bindings::http::types as v0_2;
use wasmtime_wasi_http::p3::bindings::http::types as v0_3;

use crate::sandbox::state::{ComponentState, GuestState};

/// The longest method and the longest authority, in bytes. Servers need not accept more in a request line than 8000
/// bytes (RFC 9112, section 3).
const MAX_TEXT_BYTES: usize = 8 << 10;

/// The names of the interface in the linker.
const INTERFACE_OF_0_2: &str = "wasi:http/types@0.2.12";
const INTERFACE_OF_0_3: &str = "wasi:http/types@0.3.0";

/// A function of wasmtime-wasi-http that sets a property of a request. The guest gets the inner result; the outer error
/// is a trap.
type Setter<R, V> = fn(WasiHttpCtxView<'_>, Resource<R>, V) -> wasmtime::Result<Result<(), ()>>;

/// Replaces functions of WASI 0.2 in a linker that has the interface.
pub(in crate::sandbox) fn add_wasi_0_2<T: ComponentState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(INTERFACE_OF_0_2)?;
    limit(
        &mut types,
        "[method]outgoing-request.set-method",
        |method| if let v0_2::Method::Other(text) = method { Some(text) } else { None },
        |mut http, request, method| v0_2::HostOutgoingRequest::set_method(&mut http, request, method),
    )?;
    limit(&mut types, "[method]outgoing-request.set-authority", Option::as_ref, |mut http, request, authority| {
        v0_2::HostOutgoingRequest::set_authority(&mut http, request, authority)
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Replaces functions of WASI 0.3 in a linker that has the interface.
pub(in crate::sandbox) fn add_wasi_0_3(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(INTERFACE_OF_0_3)?;
    limit(
        &mut types,
        "[method]request.set-method",
        |method| if let v0_3::Method::Other(text) = method { Some(text) } else { None },
        |mut http, request, method| v0_3::HostRequest::set_method(&mut http, request, method),
    )?;
    limit(&mut types, "[method]request.set-authority", Option::as_ref, |mut http, request, authority| {
        v0_3::HostRequest::set_authority(&mut http, request, authority)
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Replaces a function that sets a property of a request, to `set` unless the text in its argument is too long.
fn limit<T: ComponentState, R: 'static, V: Lift + Send + Sync + 'static>(
    types: &mut LinkerInstance<'_, T>,
    function: &str,
    text: fn(&V) -> Option<&String>,
    set: Setter<R, V>,
) -> wasmtime::Result<()> {
    types.func_wrap(function, move |mut store: StoreContextMut<'_, T>, (request, value): (Resource<R>, V)| {
        if text(&value).is_some_and(|text| text.len() > MAX_TEXT_BYTES) {
            return Ok((Err(()),));
        }
        Ok((set(store.data_mut().http(), request, value)?,))
    })
}
