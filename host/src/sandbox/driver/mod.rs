//! Drivers: components that are the source of a camera's frames.
//!
//! ```text
//! LoadedDriver ── DriverRun::start ──► instance ── capture.push ──► the newest image ── DriverRun::take ──► camera
//! ```
//!
//! * `bindings`: the generated host side of the world `hotshoe:camera/driver`.
//! * `state`: the data of a driver's store; `capture`: what drivers import.
//! * [`run`]: a running driver; [`error`]: why it ended.
//!
//! [`crate::drivers`] makes cameras of them, and replaces them.

pub(super) mod bindings;
mod capture;
pub mod error;
pub mod run;
pub(super) mod state;
