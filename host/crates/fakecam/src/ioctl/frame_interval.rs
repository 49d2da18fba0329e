//! Frame intervals.

use std::mem::offset_of;

use rustix::io::Errno;
use v4l2_sys_mit as sys;

use super::argument::{Argument, CAPTURE, field_offset};
use crate::camera::{Handle, State};
use crate::formats::FrameInterval;

/// The offset of `timeperframe` in `v4l2_streamparm`.
const TIME_PER_FRAME: usize = field_offset!(sys::v4l2_streamparm, parm, sys::v4l2_captureparm, timeperframe);
const NUMERATOR: usize = TIME_PER_FRAME + offset_of!(sys::v4l2_fract, numerator);
const DENOMINATOR: usize = TIME_PER_FRAME + offset_of!(sys::v4l2_fract, denominator);

impl Handle {
    pub(super) fn enumerate_intervals(&self, argument: &mut Argument) -> Result<(), Errno> {
        let index = argument.u32(offset_of!(sys::v4l2_frmivalenum, index)) as usize;
        let sizes = self.camera.formats().sizes(argument.u32(offset_of!(sys::v4l2_frmivalenum, pixel_format)));
        let width = argument.u32(offset_of!(sys::v4l2_frmivalenum, width));
        let height = argument.u32(offset_of!(sys::v4l2_frmivalenum, height));
        let intervals = &self.camera.formats().intervals;
        let interval = intervals.get(index).filter(|_| sizes.contains(&(width, height))).ok_or(Errno::INVAL)?;
        let interval_type = offset_of!(sys::v4l2_frmivalenum, type_);
        argument.clear_from(interval_type);
        argument.set_u32(interval_type, sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE);
        let discrete = offset_of!(sys::v4l2_frmivalenum, __bindgen_anon_1);
        argument.set_u32(discrete + offset_of!(sys::v4l2_fract, numerator), interval.numerator);
        argument.set_u32(discrete + offset_of!(sys::v4l2_fract, denominator), interval.denominator);
        Ok(())
    }

    /// `VIDIOC_S_PARM`: selects the nearest supported frame interval.
    pub(super) fn set_parameters(&self, state: &mut State, argument: &mut Argument) -> Result<(), Errno> {
        check_type(argument)?;
        state.claim(self.id)?;
        if self.session(state)?.stream.is_some() {
            return Err(Errno::BUSY);
        }
        let requested = FrameInterval { numerator: argument.u32(NUMERATOR), denominator: argument.u32(DENOMINATOR) };
        state.interval = self.camera.formats().nearest_interval(requested).ok_or(Errno::NODEV)?;
        get_parameters(state, argument)
    }
}

/// `VIDIOC_G_PARM`
pub(super) fn get_parameters(state: &State, argument: &mut Argument) -> Result<(), Errno> {
    check_type(argument)?;
    argument.clear_from(offset_of!(sys::v4l2_streamparm, parm));
    let capability = field_offset!(sys::v4l2_streamparm, parm, sys::v4l2_captureparm, capability);
    argument.set_u32(capability, sys::V4L2_CAP_TIMEPERFRAME);
    argument.set_u32(NUMERATOR, state.interval.numerator);
    argument.set_u32(DENOMINATOR, state.interval.denominator);
    Ok(())
}

fn check_type(argument: &Argument) -> Result<(), Errno> {
    if argument.u32(offset_of!(sys::v4l2_streamparm, type_)) == CAPTURE { Ok(()) } else { Err(Errno::INVAL) }
}
