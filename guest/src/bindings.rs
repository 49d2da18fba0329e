//! The imports and exports of the guest, generated from `wit/`.

#![allow(missing_docs, unsafe_code, clippy::all, reason = "generated; wit/ contains the documentation")]

wit_bindgen::generate!({
    world: "hotshoe:server/publishing-guest",
    path: "wit",
    generate_all,
});
