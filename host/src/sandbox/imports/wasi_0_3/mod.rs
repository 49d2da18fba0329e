//! The host side of `hotshoe:camera@0.3.0` and `hotshoe:server@0.3.0`, for guests of WASI 0.3. A thin layer over the
//! functions that implement 0.2: only what waits, and how bytes are passed, differs.
//!
//! Functions that wait are concurrent: they do not hold the store while they wait, so the other requests of the
//! instance continue.

pub(in crate::sandbox) mod bindings;
mod cameras;
pub(in crate::sandbox) mod channel_stream;
mod channels;
mod controls;
mod events;
pub(in crate::sandbox) mod frames;
mod generations;
mod history;
mod results;
