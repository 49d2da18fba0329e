//! The imports and exports of the guest, generated from `wit/`.

#![allow(missing_docs, unsafe_code, clippy::all, reason = "generated; wit/ contains the documentation")]

wit_bindgen::generate!({
    world: "hotshoe:server/publishing-guest",
    path: "wit",
    generate_all,
});

// A native library cannot export symbols with the names of component exports.
#[cfg(target_family = "wasm")]
export!(Guest);
#[cfg(target_family = "wasm")]
use super::Guest;
