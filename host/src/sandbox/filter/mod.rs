//! Filters: components between a camera and its readers.
//!
//! * `bindings`: the generated host side of the world `hotshoe:camera/frame-filter`.
//! * [`run`]: a running filter; [`error`]: why it returned no frame.
//!
//! [`crate::filters`] puts them into cameras, and replaces them.

pub(super) mod bindings;
pub mod error;
pub mod run;
