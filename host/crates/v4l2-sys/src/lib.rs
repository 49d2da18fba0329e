//! Bindings of the V4L2 kernel interface for the `v4l` crate, generated and checked in.
//!
//! The published `v4l2-sys-mit` runs bindgen at build time, which needs libclang. Cargo replaces it with this crate
//! (`[patch.crates-io]` in the workspace), so that a build needs only Rust. `README.md` says how `bindings.rs` was
//! generated; do not edit it by hand. It is valid for every Linux target, because it uses C's own types.
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
