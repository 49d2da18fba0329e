//! Cameras whose driver is a component: `--camera component:FILE`.
//!
//! ```text
//! Camera ── open ──► ComponentSource ──► DriverCapture ── polls ──► DriverRun (the instance)
//!                         │                   └─ follows the generations of its slot
//!                         └─ CameraSlot: the current driver ◄── watched file, SIGHUP, upload
//! ```
//!
//! * `slots`: the drivers of all cameras.
//! * `runtime`: where the driver of a camera runs; `inputs`: what is known about its images.
//! * [`source`]: a driver as the source of a camera. `capture`: an open one, on the capture thread of its camera.

mod capture;
mod inputs;
mod runtime;
mod slots;
pub mod source;

pub use capture::MAX_DRIVER_INSTANCES;
pub use slots::{DriverSlot, Drivers};
pub use source::ComponentSource;
