//! Generated from `wit/`: what the host offers, and what it calls.

#![allow(missing_docs, unsafe_code, clippy::all, reason = "generated; the documentation is in wit/")]

wit_bindgen::generate!({
    world: "hotshoe:server/publishing-guest",
    path: "wit",
    generate_all,
});

// The names of a component's exports are none for a native library.
#[cfg(target_family = "wasm")]
export!(Guest);
#[cfg(target_family = "wasm")]
use super::Guest;
