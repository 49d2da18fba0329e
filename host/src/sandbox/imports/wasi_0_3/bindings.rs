//! The host side of `hotshoe:camera@0.3.0` and `hotshoe:server@0.3.0`, generated from `wit/0.3/`.

#![allow(missing_docs, reason = "generated; wit/ contains the documentation")]

wasmtime::component::bindgen!({
    path: "../wit/0.3/server",
    // Without the HTTP handler, whose bindings wasmtime-wasi-http provides.
    inline: "
        package hotshoe:host;

        world publishing {
            include hotshoe:server/imports@0.3.0;
            export hotshoe:server/publisher@0.3.0;
        }
    ",
    imports: {
        "hotshoe:camera/cameras.[method]feed.wait-next": async | store | trappable,
        "hotshoe:camera/cameras.[method]watcher.wait-changed": async | store | trappable,
        "hotshoe:camera/controls.list-controls": async | store | trappable,
        "hotshoe:camera/controls.set-control": async | store | trappable,
        "hotshoe:camera/frames.[method]image.bytes": store | trappable,
        "hotshoe:server/channels.[method]channel.push-frames": async | store | trappable,
        "hotshoe:server/channels.join": store | trappable,
        "hotshoe:server/channels.join-all": store | trappable,
        "hotshoe:server/events.[method]watcher.wait-changed": async | store | trappable,
        "hotshoe:server/generations.wait-replaced": async | store | trappable,
        "hotshoe:server/results.[method]reader.wait-next": async | store | trappable,
        default: trappable,
    },
    with: {
        "wasi:clocks": wasmtime_wasi::p3::bindings::clocks,
        "hotshoe:camera/frames.image": crate::camera::JpegImage,
        "hotshoe:camera/cameras.watcher": crate::sandbox::imports::resources::HeldWatcher,
        "hotshoe:camera/cameras.feed": crate::sandbox::imports::resources::HeldFeed,
        "hotshoe:server/events.watcher": crate::sandbox::imports::resources::HeldEventWatcher,
        "hotshoe:server/results.reader": crate::sandbox::imports::resources::HeldReader,
        "hotshoe:server/channels.channel": crate::channels::Publisher,
    },
    exports: { default: async | store },
    require_store_data_send: true,
});
