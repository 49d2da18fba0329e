//! V4L2 devices: the kernel's cameras.
//!
//! * `device`: the part of V4L2 in use, as traits; `kernel`: the implementation; `scripted`: one with scripted faults.
//! * `registry`, `find`: which node a camera is; `signal`: its input; `negotiate`: its mode; `crop`: the part of the
//!   picture; `control_settings`, `turn`: its control values.
//! * `streaming`: the capture loop; `extract`: gets images out of buffers and checks them.
//! * `camera`: puts these together; [`devices`], [`device_info`]: all devices of the machine; `errors`: the kernel's
//!   errors.

mod camera;
mod control_settings;
mod crop;
mod device;
pub mod device_info;
pub mod devices;
mod errors;
mod extract;
mod find;
mod kernel;
mod negotiate;
mod registry;
#[cfg(any(test, fuzzing))]
pub mod scripted;
mod signal;
mod streaming;
#[cfg(test)]
mod tests;
mod turn;

pub use camera::{CameraOptions, DEFAULT_QUALITY, V4l2Camera};
pub use device_info::{DeviceInfo, FormatInfo};
pub use devices::Devices;
pub use kernel::start_user_lookup;
pub use streaming::DEFAULT_BUFFERS;
