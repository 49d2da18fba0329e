//! The drivers of all cameras.

use crate::sandbox::LoadedDriver;
use crate::swap::{CameraSlot, CameraSlots};

/// The driver of a camera, and its replacements.
pub type DriverSlot = CameraSlot<LoadedDriver>;

/// The drivers of all cameras that have one. Clones share them.
pub type Drivers = CameraSlots<LoadedDriver>;
