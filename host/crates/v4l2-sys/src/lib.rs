//! The V4L2 kernel interface as the `v4l` crate wants it, with bindings that are checked in.
//!
//! The published `v4l2-sys-mit` runs bindgen at build time, which needs libclang; a fresh machine has
//! none. Cargo replaces it by this crate (`[patch.crates-io]` in the workspace). `bindings.rs` came
//! from `linux/videodev2.h` (Linux 6.1) by the command in `README.md` and is not edited by hand.
//! It holds for every Linux target: its layouts are spelled in C's own types.
#![allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    clippy::all,
    unsafe_op_in_unsafe_fn,
    reason = "generated code"
)]

include!("bindings.rs");
