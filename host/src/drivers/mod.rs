//! Cameras whose driver is a component: `--camera component:FILE`.
//!
//! ```text
//! Camera ── open ──► ComponentSource ──► DriverCapture ── polls ──► DriverRun (the instance)
//!                         │                   └─ follows the generations of its slot
//!                         └─ CameraSlot: the current driver ◄── watched file, SIGHUP, upload
//! ```
//!
//! * `slots`: the drivers of all cameras.
//! * [`source`]: a driver as the source of a camera. `capture`: an open one, on the capture thread of its camera.

mod capture;
pub mod source;

mod slots;

pub use capture::MAX_DRIVER_INSTANCES;
pub use slots::{DriverSlot, Drivers};
pub use source::ComponentSource;
