//! `VIDIOC_QUERYCAP`, inputs, priorities and cropping.

use std::mem::offset_of;

use rustix::io::Errno;
use v4l2_sys_mit as sys;

use super::argument::{Argument, CAPTURE};
use crate::camera::{Handle, State};
use crate::formats::Mode;

impl Handle {
    pub(super) fn query_capability(&self, argument: &mut Argument) {
        let capabilities = sys::V4L2_CAP_VIDEO_CAPTURE | sys::V4L2_CAP_STREAMING | sys::V4L2_CAP_EXT_PIX_FORMAT;
        argument.clear_from(0);
        argument.set_text(offset_of!(sys::v4l2_capability, driver), 16, "uvcvideo");
        argument.set_text(offset_of!(sys::v4l2_capability, card), 32, &self.camera.settings.card());
        let bus = format!("usb-fakecam-{}", self.camera.index() + 1);
        argument.set_text(offset_of!(sys::v4l2_capability, bus_info), 32, &bus);
        // Linux 6.1.
        argument.set_u32(offset_of!(sys::v4l2_capability, version), 6 << 16 | 1 << 8);
        argument.set_u32(offset_of!(sys::v4l2_capability, device_caps), capabilities);
        let all = capabilities | sys::V4L2_CAP_DEVICE_CAPS;
        argument.set_u32(offset_of!(sys::v4l2_capability, capabilities), all);
    }
}

/// `VIDIOC_ENUMINPUT`: one input.
pub(super) fn enumerate_inputs(argument: &mut Argument) -> Result<(), Errno> {
    if argument.u32(offset_of!(sys::v4l2_input, index)) != 0 {
        return Err(Errno::INVAL);
    }
    argument.clear_from(0);
    argument.set_text(offset_of!(sys::v4l2_input, name), 32, "Camera 1");
    argument.set_u32(offset_of!(sys::v4l2_input, type_), sys::V4L2_INPUT_TYPE_CAMERA);
    Ok(())
}

pub(super) fn get_input(argument: &mut Argument) {
    argument.set_u32(0, 0);
}

pub(super) fn set_input(argument: &Argument) -> Result<(), Errno> {
    if argument.u32(0) == 0 { Ok(()) } else { Err(Errno::INVAL) }
}

pub(super) fn get_priority(argument: &mut Argument) {
    argument.set_u32(0, sys::v4l2_priority_V4L2_PRIORITY_DEFAULT);
}

/// `VIDIOC_CROPCAP`: the whole image.
pub(super) fn cropping(state: &State, argument: &mut Argument) -> Result<(), Errno> {
    let mode = state.mode.ok_or(Errno::NODEV)?;
    if argument.u32(offset_of!(sys::v4l2_cropcap, type_)) != CAPTURE {
        return Err(Errno::INVAL);
    }
    write_rectangle(argument, offset_of!(sys::v4l2_cropcap, bounds), mode);
    write_rectangle(argument, offset_of!(sys::v4l2_cropcap, defrect), mode);
    let aspect = offset_of!(sys::v4l2_cropcap, pixelaspect);
    argument.set_u32(aspect + offset_of!(sys::v4l2_fract, numerator), 1);
    argument.set_u32(aspect + offset_of!(sys::v4l2_fract, denominator), 1);
    Ok(())
}

/// `VIDIOC_G_SELECTION`: the whole image.
pub(super) fn get_selection(state: &State, argument: &mut Argument) -> Result<(), Errno> {
    let mode = state.mode.ok_or(Errno::NODEV)?;
    if argument.u32(offset_of!(sys::v4l2_selection, type_)) != CAPTURE {
        return Err(Errno::INVAL);
    }
    let target = argument.u32(offset_of!(sys::v4l2_selection, target));
    if target != sys::V4L2_SEL_TGT_CROP_DEFAULT && target != sys::V4L2_SEL_TGT_CROP_BOUNDS {
        return Err(Errno::INVAL);
    }
    write_rectangle(argument, offset_of!(sys::v4l2_selection, r), mode);
    Ok(())
}

fn write_rectangle(argument: &mut Argument, offset: usize, mode: Mode) {
    argument.set_u32(offset + offset_of!(sys::v4l2_rect, left), 0);
    argument.set_u32(offset + offset_of!(sys::v4l2_rect, top), 0);
    argument.set_u32(offset + offset_of!(sys::v4l2_rect, width), mode.width);
    argument.set_u32(offset + offset_of!(sys::v4l2_rect, height), mode.height);
}
