//! Turns pictures with the controls of a device ("User Controls"), as far as it has them.

use super::device::Device;
use crate::orientation::{Orientation, Rotation};

/// The control IDs are from `linux/v4l2-controls.h`, relative to `V4L2_CID_BASE`.
const BASE: u32 = 0x0098_0900;

/// Rotates by a number of degrees. The kernel's documentation leaves the direction open; drivers rotate clockwise. For
/// 90 and 270, the device's formats have width and height swapped.
pub(super) const ROTATE: u32 = BASE + 34;
/// Mirrors horizontally.
pub(super) const HORIZONTAL_FLIP: u32 = BASE + 20;
/// Mirrors vertically.
pub(super) const VERTICAL_FLIP: u32 = BASE + 21;

/// Makes the device turn its pictures. Returns whether it does; if not, it does not turn them at all.
///
/// Call it before the format is negotiated, which depends on the rotation. A device keeps its controls, so those that
/// are not needed are reset.
pub(super) fn turn(device: &dyn Device, orientation: Orientation) -> bool {
    let offered = device.controls();
    let has = |id: u32, value: i64| {
        offered.iter().any(|control| {
            control.id == id && !control.read_only && (control.minimum..=control.maximum).contains(&value)
        })
    };
    let settings = settings(orientation, has);
    let is_set = |(id, value): (u32, i64)| {
        // Missing controls are 0.
        !has(id, value) || device.set_control(id, value).is_ok_and(|accepted| accepted == value)
    };
    if let Some(settings) = settings
        && settings.into_iter().all(is_set)
    {
        return true;
    }
    for id in [ROTATE, HORIZONTAL_FLIP, VERTICAL_FLIP] {
        is_set((id, 0));
    }
    orientation.is_upright()
}

/// The values of the controls for this orientation, or `None` if the device lacks one of them.
fn settings(orientation: Orientation, has: impl Fn(u32, i64) -> bool) -> Option<[(u32, i64); 3]> {
    let settings = |degrees: u32, horizontal: bool, vertical: bool| {
        [(ROTATE, degrees.into()), (HORIZONTAL_FLIP, horizontal.into()), (VERTICAL_FLIP, vertical.into())]
    };
    let candidates = match (orientation.as_flips(), orientation.exif_value()) {
        (Some((true, true)), _) => vec![settings(0, true, true), settings(Rotation::Half.degrees(), false, false)],
        (Some((horizontal, vertical)), _) => vec![settings(0, horizontal, vertical)],
        (None, 6) => vec![settings(Rotation::Quarter.degrees(), false, false)],
        (None, 8) => vec![settings(Rotation::ThreeQuarters.degrees(), false, false)],
        // Whether a driver rotates or flips first is not specified.
        (None, _) => Vec::new(),
    };
    candidates.into_iter().find(|settings| settings.iter().all(|(id, value)| *value == 0 || has(*id, *value)))
}
