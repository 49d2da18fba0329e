//! The host side of the world `hotshoe:camera/frame-filter`, generated from `wit/`.

#![allow(missing_docs, reason = "generated; wit/ contains the documentation")]

wasmtime::component::bindgen!({
    path: "../wit/camera",
    inline: "
        package hotshoe:host;

        world filtering {
            export hotshoe:camera/filter@0.2.0;
        }
    ",
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "hotshoe:camera/frames": crate::sandbox::imports::bindings::hotshoe::camera::frames,
    },
    exports: { default: async },
    require_store_data_send: true,
});
