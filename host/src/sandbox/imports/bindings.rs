//! The host side of `hotshoe:camera` and `hotshoe:server`, generated from `wit/`.

#![allow(missing_docs, reason = "generated; wit/ contains the documentation")]

wasmtime::component::bindgen!({
    path: "../wit/server",
    // Without the HTTP handler, whose bindings wasmtime-wasi-http provides.
    inline: "
        package hotshoe:host;

        world publishing {
            include hotshoe:server/imports@0.2.0;
            export hotshoe:server/publisher@0.2.0;
        }
    ",
    imports: {
        "hotshoe:camera/cameras.[method]feed.blocking-next": async | trappable,
        "hotshoe:camera/cameras.[method]watcher.blocking-changed": async | trappable,
        "hotshoe:camera/controls.blocking-list-controls": async | trappable,
        "hotshoe:camera/controls.blocking-set-control": async | trappable,
        "hotshoe:server/channels.[method]channel.push-frames": async | trappable,
        "hotshoe:server/results.[method]reader.blocking-next": async | trappable,
        "hotshoe:camera/pixels.adopt": async | trappable,
        "hotshoe:camera/pixels.decode": async | trappable,
        "hotshoe:camera/pixels.[method]picture.encode": async | trappable,
        default: trappable,
    },
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "wasi:http": wasmtime_wasi_http::p2::bindings::http,
        "hotshoe:camera/frames.image": crate::camera::JpegImage,
        "hotshoe:camera/cameras.watcher": crate::sandbox::imports::resources::HeldWatcher,
        "hotshoe:camera/cameras.feed": crate::sandbox::imports::resources::HeldFeed,
        "hotshoe:server/results.reader": crate::sandbox::imports::resources::HeldReader,
        "hotshoe:camera/pixels.picture": crate::sandbox::pixels::HeldPicture,
        "hotshoe:server/channels.channel": crate::channels::Publisher,
    },
    exports: { default: async },
    require_store_data_send: true,
});
