//! The host's side of `hotshoe:camera`, generated from `wit/`. The only place where `bindgen!` is called.

#![allow(missing_docs, reason = "generated; the documentation is in wit/")]

use std::sync::Arc;

use crate::camera::Frame;

/// A frame in a guest's hands.
pub type HeldFrame = Arc<Frame>;

wasmtime::component::bindgen!({
    path: "../wit",
    world: "hotshoe:camera/publishing",
    imports: {
        "hotshoe:camera/cameras.[method]feed.blocking-next": async | trappable,
        "hotshoe:camera/cameras.[method]watcher.blocking-next": async | trappable,
        "hotshoe:camera/controls.list-controls": async | trappable,
        "hotshoe:camera/controls.set-control": async | trappable,
        default: trappable,
    },
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "wasi:http": wasmtime_wasi_http::p2::bindings::http,
        "hotshoe:camera/cameras.watcher": crate::sandbox::imports::cameras::HeldWatcher,
        "hotshoe:camera/cameras.feed": crate::sandbox::imports::cameras::HeldFeed,
        "hotshoe:camera/cameras.frame": crate::sandbox::imports::bindings::HeldFrame,
        "hotshoe:camera/channels.channel": crate::channels::Publisher,
    },
    exports: { default: async },
    require_store_data_send: true,
});
