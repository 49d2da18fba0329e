//! Cropping ("Cropping, composing and scaling: the SELECTION API").

use std::io;

use rustix::io::Errno;
use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use super::node::{CAPTURE, Node, READ, WRITE, request, zeroed};
use crate::dimensions::Dimensions;
use crate::rectangle::Rectangle;

/// Requests that the `v4l` crate lacks.
const G_SELECTION: vidioc::_IOC_TYPE = request::<sys::v4l2_selection>(READ | WRITE, 94);
const S_SELECTION: vidioc::_IOC_TYPE = request::<sys::v4l2_selection>(READ | WRITE, 95);

/// Crops to an area, which the driver may adjust. Returns `false` if the device or its present input cannot crop.
pub(super) fn set_crop(node: &Node, area: &Rectangle) -> io::Result<bool> {
    let mut raw = argument();
    // Larger values than a C `int` holds are beyond any picture; the driver reduces them.
    let int = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    raw.r =
        sys::v4l2_rect { left: int(area.left), top: int(area.top), width: area.size.width, height: area.size.height };
    match node.ioctl(S_SELECTION, &mut raw) {
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOTTY | Errno::INVAL | Errno::NODATA)) => {
            Ok(false)
        }
        result => result.map(|()| true),
    }
}

/// Returns the area to which pictures are cropped.
pub(super) fn crop(node: &Node) -> io::Result<Rectangle> {
    let mut raw = argument();
    node.ioctl(G_SELECTION, &mut raw)?;
    let sys::v4l2_rect { left, top, width, height } = raw.r;
    // The origin of the sensor is at its top left corner, so nothing is negative.
    let [left, top] = [left, top].map(|value| u32::try_from(value).unwrap_or(0));
    Ok(Rectangle { left, top, size: Dimensions { width, height } })
}

/// Both APIs use the single-planar type here ("VIDIOC_G_SELECTION").
fn argument() -> sys::v4l2_selection {
    sys::v4l2_selection { type_: CAPTURE, target: sys::V4L2_SEL_TGT_CROP, ..zeroed() }
}
