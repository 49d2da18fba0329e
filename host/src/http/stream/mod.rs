//! Sending streams: everything that relies on how hyper writes.

pub mod line;
