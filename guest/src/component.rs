//! The component: the type that implements all exports.

#![allow(unsafe_code, reason = "the generated macro that exports functions")]

/// Implements the exports: the crate root handles requests, and `publish` publishes channels.
pub struct Component;

// A native library cannot export symbols with the names of component exports.
#[cfg(target_family = "wasm")]
crate::bindings::export!(Component with_types_in crate::bindings);
