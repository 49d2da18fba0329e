//! Pixel formats and sizes.

use std::mem::offset_of;

use rustix::io::Errno;
use v4l2_sys_mit as sys;

use super::argument::{Argument, CAPTURE, field_offset};
use crate::camera::{Handle, State};
use crate::formats::{Mode, PixelFormat};

impl Handle {
    pub(super) fn enumerate_formats(&self, argument: &mut Argument) -> Result<(), Errno> {
        let index = argument.u32(offset_of!(sys::v4l2_fmtdesc, index));
        if argument.u32(offset_of!(sys::v4l2_fmtdesc, type_)) != CAPTURE {
            return Err(Errno::INVAL);
        }
        let format = *self.camera.formats().pixel_formats.get(index as usize).ok_or(Errno::INVAL)?;
        let flags = if format == PixelFormat::Mjpg { sys::V4L2_FMT_FLAG_COMPRESSED } else { 0 };
        argument.clear_from(offset_of!(sys::v4l2_fmtdesc, flags));
        argument.set_u32(offset_of!(sys::v4l2_fmtdesc, flags), flags);
        argument.set_text(offset_of!(sys::v4l2_fmtdesc, description), 32, format.description());
        argument.set_u32(offset_of!(sys::v4l2_fmtdesc, pixelformat), format.fourcc());
        Ok(())
    }

    pub(super) fn enumerate_sizes(&self, argument: &mut Argument) -> Result<(), Errno> {
        let index = argument.u32(offset_of!(sys::v4l2_frmsizeenum, index)) as usize;
        let sizes = self.camera.formats().sizes(argument.u32(offset_of!(sys::v4l2_frmsizeenum, pixel_format)));
        let &(width, height) = sizes.get(index).ok_or(Errno::INVAL)?;
        let size_type = offset_of!(sys::v4l2_frmsizeenum, type_);
        argument.clear_from(size_type);
        argument.set_u32(size_type, sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE);
        let discrete = offset_of!(sys::v4l2_frmsizeenum, __bindgen_anon_1);
        argument.set_u32(discrete + offset_of!(sys::v4l2_frmsize_discrete, width), width);
        argument.set_u32(discrete + offset_of!(sys::v4l2_frmsize_discrete, height), height);
        Ok(())
    }

    pub(super) fn get_format(&self, state: &State, argument: &mut Argument) -> Result<(), Errno> {
        check_type(argument)?;
        self.write_format(state, state.mode.ok_or(Errno::NODEV)?, argument);
        Ok(())
    }

    pub(super) fn try_format(&self, state: &State, argument: &mut Argument) -> Result<(), Errno> {
        check_type(argument)?;
        self.write_format(state, self.nearest_mode(argument)?, argument);
        Ok(())
    }

    /// `VIDIOC_S_FMT`. Resets the frame interval to the default.
    pub(super) fn set_format(&self, state: &mut State, argument: &mut Argument) -> Result<(), Errno> {
        check_type(argument)?;
        state.claim(self.id)?;
        if !self.session(state)?.buffers.is_empty() {
            return Err(Errno::BUSY);
        }
        let mode = self.nearest_mode(argument)?;
        state.mode = Some(mode);
        state.interval = *self.camera.formats().intervals.first().ok_or(Errno::NODEV)?;
        self.write_format(state, mode, argument);
        Ok(())
    }

    fn nearest_mode(&self, argument: &Argument) -> Result<Mode, Errno> {
        let fourcc = argument.u32(field_offset!(sys::v4l2_format, fmt, sys::v4l2_pix_format, pixelformat));
        let width = argument.u32(field_offset!(sys::v4l2_format, fmt, sys::v4l2_pix_format, width));
        let height = argument.u32(field_offset!(sys::v4l2_format, fmt, sys::v4l2_pix_format, height));
        self.camera.formats().nearest_mode(fourcc, width, height).ok_or(Errno::NODEV)
    }

    fn write_format(&self, state: &State, mode: Mode, argument: &mut Argument) {
        let is_mjpg = mode.pixel_format == PixelFormat::Mjpg;
        let quantization = match mode.pixel_format {
            PixelFormat::Mjpg => sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE,
            PixelFormat::Yuyv => sys::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE,
        };
        argument.clear_from(offset_of!(sys::v4l2_format, fmt));
        let mut set = |offset, value| argument.set_u32(offset_of!(sys::v4l2_format, fmt) + offset, value);
        set(offset_of!(sys::v4l2_pix_format, width), mode.width);
        set(offset_of!(sys::v4l2_pix_format, height), mode.height);
        set(offset_of!(sys::v4l2_pix_format, pixelformat), mode.pixel_format.fourcc());
        set(offset_of!(sys::v4l2_pix_format, field), sys::v4l2_field_V4L2_FIELD_NONE);
        set(offset_of!(sys::v4l2_pix_format, bytesperline), if is_mjpg { 0 } else { mode.width * 2 });
        set(offset_of!(sys::v4l2_pix_format, sizeimage), self.camera.formats().max_frame_length(mode, &state.options));
        set(offset_of!(sys::v4l2_pix_format, colorspace), sys::v4l2_colorspace_V4L2_COLORSPACE_SRGB);
        set(offset_of!(sys::v4l2_pix_format, priv_), sys::V4L2_PIX_FMT_PRIV_MAGIC);
        set(offset_of!(sys::v4l2_pix_format, __bindgen_anon_1), sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601);
        set(offset_of!(sys::v4l2_pix_format, quantization), quantization);
        set(offset_of!(sys::v4l2_pix_format, xfer_func), sys::v4l2_xfer_func_V4L2_XFER_FUNC_SRGB);
    }
}

fn check_type(argument: &Argument) -> Result<(), Errno> {
    if argument.u32(offset_of!(sys::v4l2_format, type_)) == CAPTURE { Ok(()) } else { Err(Errno::INVAL) }
}
