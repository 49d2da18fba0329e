//! The imports and exports of the guest, generated from `wit/`.

#![allow(missing_docs, unsafe_code, clippy::all, reason = "generated; wit/ contains the documentation")]

wit_bindgen::generate!({
    // Standard error, for the messages of panics.
    inline: "
        package hotshoe:built-in;
        world guest {
            include hotshoe:server/publishing-guest@0.2.0;
            import wasi:cli/stderr@0.2.12;
        }
    ",
    world: "hotshoe:built-in/guest",
    path: "wit",
    generate_all,
});
