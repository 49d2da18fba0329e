//! The host side of `hotshoe:camera@0.3.0`, generated from `wit/0.3/camera/`.

#![allow(missing_docs, reason = "generated; wit/ contains the documentation")]

wasmtime::component::bindgen!({
    path: "../wit/0.3/camera",
    world: "hotshoe:camera/imports@0.3.0",
    imports: {
        "hotshoe:camera/cameras.[method]feed.wait-next": async | store | trappable,
        "hotshoe:camera/cameras.[method]watcher.wait-changed": async | store | trappable,
        "hotshoe:camera/controls.list-controls": async | store | trappable,
        "hotshoe:camera/controls.set-control": async | store | trappable,
        "hotshoe:camera/frames.[method]image.bytes": store | trappable,
        default: trappable,
    },
    with: {
        "wasi:clocks": wasmtime_wasi::p3::bindings::clocks,
        "hotshoe:camera/frames.image": crate::camera::JpegImage,
        "hotshoe:camera/cameras.watcher": crate::sandbox::imports::resources::HeldWatcher,
        "hotshoe:camera/cameras.feed": crate::sandbox::imports::resources::HeldFeed,
    },
    require_store_data_send: true,
});
