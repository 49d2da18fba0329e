//! The filters of all cameras.

use crate::sandbox::LoadedFilter;
use crate::swap::{CameraSlot, CameraSlots};

/// A filter of a camera, and its replacements.
pub type FilterSlot = CameraSlot<LoadedFilter>;

/// The filters of all cameras, those of a camera in the order in which frames pass them. Clones share them.
pub type FilterSlots = CameraSlots<LoadedFilter>;
