//! The ioctls.

use std::mem::offset_of;
use std::sync::{MutexGuard, PoisonError};

use rustix::io::Errno;
use v4l2_sys_mit as sys;

use crate::argument::{Argument, field};
use crate::camera::{Handle, State};
use crate::controls;
use crate::log::say;
use crate::offer::{Interval, Mode, PixelFormat};
use crate::request::Request;
use crate::session::{BufferState, Session};

const CAPTURE: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;
const MMAP: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;

/// The most buffers that a driver gives (`VIDEO_MAX_FRAME`).
const MAX_BUFFERS: f64 = 32.0;

/// The length in bytes of the argument that a request's number names (asm-generic/ioctl.h).
#[must_use]
pub fn argument_length(code: u32) -> usize {
    (code >> 16 & 0x3FFF) as usize
}

impl Handle {
    /// An ioctl of the type `V`. `argument` has the length that [`argument_length`] returns; `None` is a null pointer.
    ///
    /// Blocks only in `VIDIOC_DQBUF`, if `is_nonblocking` is false.
    ///
    /// # Errors
    ///
    /// Those of the kernel, and what `FAIL` says.
    pub fn ioctl(&self, code: u32, argument: Option<&mut [u8]>, is_nonblocking: bool) -> Result<(), Errno> {
        let request = Request::of(code);
        let result = self.checked(request, argument, is_nonblocking);
        let level = if matches!(request, Some(Request::QBUF | Request::DQBUF)) { 3 } else { 2 };
        say(level, || {
            let name = request.map_or_else(|| format!("ioctl {code:#x}"), |request| request.name().to_owned());
            format!("video{}: {name}: {result:?}", self.camera.index())
        });
        result
    }

    fn checked(
        &self,
        request: Option<Request>,
        argument: Option<&mut [u8]>,
        is_nonblocking: bool,
    ) -> Result<(), Errno> {
        let mut state = self.camera.lock();
        self.camera.refresh(&mut state);
        self.session(&mut state)?;
        let request = request.ok_or(Errno::NOTTY)?;
        let mut argument = Argument(argument.ok_or(Errno::FAULT)?);
        state.failures.of(&self.camera.settings, request.name())?;
        let argument = &mut argument;
        match request {
            Request::QUERYCAP => self.query_capability(argument),
            Request::ENUM_FMT => return self.enumerate_formats(argument),
            Request::G_FMT | Request::TRY_FMT | Request::S_FMT => return self.format(&mut state, request, argument),
            Request::G_PARM | Request::S_PARM => return self.interval(&mut state, request, argument),
            Request::ENUM_FRAMESIZES => return self.enumerate_sizes(argument),
            Request::ENUM_FRAMEINTERVALS => return self.enumerate_intervals(argument),
            Request::ENUMINPUT => {
                if argument.u32(offset_of!(sys::v4l2_input, index)) != 0 {
                    return Err(Errno::INVAL);
                }
                argument.clear_from(0);
                argument.set_text(offset_of!(sys::v4l2_input, name), 32, "Camera 1");
                argument.set_u32(offset_of!(sys::v4l2_input, type_), sys::V4L2_INPUT_TYPE_CAMERA);
            }
            Request::G_INPUT => argument.set_u32(0, 0),
            Request::S_INPUT if argument.u32(0) != 0 => return Err(Errno::INVAL),
            Request::S_INPUT | Request::S_PRIORITY => {}
            Request::G_PRIORITY => argument.set_u32(0, sys::v4l2_priority_V4L2_PRIORITY_DEFAULT),
            Request::CROPCAP | Request::G_SELECTION => return rectangle(&state, request, argument),
            Request::QUERYCTRL | Request::QUERY_EXT_CTRL => return query_control(&state, request, argument),
            Request::QUERYMENU => {
                let word = |offset| argument.u32(offset);
                let (id, index) = (offset_of!(sys::v4l2_querymenu, id), offset_of!(sys::v4l2_querymenu, index));
                let item = controls::menu_item(word(id), word(index)).ok_or(Errno::INVAL)?;
                argument.set_text(offset_of!(sys::v4l2_querymenu, __bindgen_anon_1), 32, item);
            }
            Request::G_CTRL | Request::S_CTRL => {
                let id = argument.u32(offset_of!(sys::v4l2_control, id));
                let at = offset_of!(sys::v4l2_control, value);
                let value = match request {
                    Request::S_CTRL => state.values.set(id, argument.u32(at).cast_signed())?,
                    _ => state.values.get(id)?,
                };
                argument.set_u32(at, value.cast_unsigned());
            }
            Request::REQBUFS => return self.request_buffers(&mut state, argument),
            Request::QUERYBUF => {
                let index = argument.u32(offset_of!(sys::v4l2_buffer, index)) as usize;
                describe(self.session(&mut state)?, index, argument)?;
            }
            Request::QBUF | Request::DQBUF => {
                if argument.u32(offset_of!(sys::v4l2_buffer, type_)) != CAPTURE
                    || argument.u32(offset_of!(sys::v4l2_buffer, memory)) != MMAP
                {
                    return Err(Errno::INVAL);
                }
                if state.owner.is_some_and(|owner| owner != self.id) {
                    return Err(Errno::BUSY);
                }
                if request == Request::DQBUF {
                    return self.dequeue(state, argument, is_nonblocking);
                }
                let index = argument.u32(offset_of!(sys::v4l2_buffer, index)) as usize;
                let session = self.session(&mut state)?;
                session.queue(index)?;
                describe(session, index, argument)?;
            }
            Request::STREAMON | Request::STREAMOFF => {
                if argument.u32(0) != CAPTURE {
                    return Err(Errno::INVAL);
                }
                if state.owner.is_some_and(|owner| owner != self.id) {
                    return Err(Errno::BUSY);
                }
                match request {
                    Request::STREAMON => return self.stream_on(&mut state),
                    _ => self.stream_off(&mut state),
                }
            }
        }
        Ok(())
    }

    /// This handle's session, unless the camera was unplugged.
    fn session<'a>(&self, state: &'a mut State) -> Result<&'a mut Session, Errno> {
        state.sessions.get_mut(&self.id).filter(|session| !session.is_dead()).ok_or(Errno::NODEV)
    }

    fn query_capability(&self, argument: &mut Argument) {
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

    fn enumerate_formats(&self, argument: &mut Argument) -> Result<(), Errno> {
        let index = argument.u32(offset_of!(sys::v4l2_fmtdesc, index));
        if argument.u32(offset_of!(sys::v4l2_fmtdesc, type_)) != CAPTURE {
            return Err(Errno::INVAL);
        }
        let format = *self.camera.offer().formats.get(index as usize).ok_or(Errno::INVAL)?;
        let flags = if format == PixelFormat::Mjpg { sys::V4L2_FMT_FLAG_COMPRESSED } else { 0 };
        argument.clear_from(offset_of!(sys::v4l2_fmtdesc, flags));
        argument.set_u32(offset_of!(sys::v4l2_fmtdesc, flags), flags);
        argument.set_text(offset_of!(sys::v4l2_fmtdesc, description), 32, format.description());
        argument.set_u32(offset_of!(sys::v4l2_fmtdesc, pixelformat), format.code());
        Ok(())
    }

    fn format(&self, state: &mut State, request: Request, argument: &mut Argument) -> Result<(), Errno> {
        if argument.u32(offset_of!(sys::v4l2_format, type_)) != CAPTURE {
            return Err(Errno::INVAL);
        }
        if request == Request::S_FMT {
            state.own(self.id)?;
            if !self.session(state)?.buffers.is_empty() {
                return Err(Errno::BUSY);
            }
        }
        let mode = if request == Request::G_FMT {
            state.mode
        } else {
            let code = argument.u32(field!(sys::v4l2_format, fmt, sys::v4l2_pix_format, pixelformat));
            let width = argument.u32(field!(sys::v4l2_format, fmt, sys::v4l2_pix_format, width));
            let height = argument.u32(field!(sys::v4l2_format, fmt, sys::v4l2_pix_format, height));
            self.camera.offer().nearest(code, width, height)
        };
        let mode = mode.ok_or(Errno::NODEV)?;
        if request == Request::S_FMT {
            state.mode = Some(mode);
            state.interval = *self.camera.offer().intervals.first().ok_or(Errno::NODEV)?;
        }
        self.write_format(state, mode, argument);
        Ok(())
    }

    fn write_format(&self, state: &State, mode: Mode, argument: &mut Argument) {
        let is_mjpg = mode.pixels == PixelFormat::Mjpg;
        let quantization = match mode.pixels {
            PixelFormat::Mjpg => sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE,
            PixelFormat::Yuyv => sys::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE,
        };
        argument.clear_from(offset_of!(sys::v4l2_format, fmt));
        let mut set = |offset, value| argument.set_u32(offset_of!(sys::v4l2_format, fmt) + offset, value);
        set(offset_of!(sys::v4l2_pix_format, width), mode.width);
        set(offset_of!(sys::v4l2_pix_format, height), mode.height);
        set(offset_of!(sys::v4l2_pix_format, pixelformat), mode.pixels.code());
        set(offset_of!(sys::v4l2_pix_format, field), sys::v4l2_field_V4L2_FIELD_NONE);
        set(offset_of!(sys::v4l2_pix_format, bytesperline), if is_mjpg { 0 } else { mode.width * 2 });
        set(offset_of!(sys::v4l2_pix_format, sizeimage), self.camera.offer().largest_frame(mode, &state.options));
        set(offset_of!(sys::v4l2_pix_format, colorspace), sys::v4l2_colorspace_V4L2_COLORSPACE_SRGB);
        set(offset_of!(sys::v4l2_pix_format, priv_), sys::V4L2_PIX_FMT_PRIV_MAGIC);
        set(offset_of!(sys::v4l2_pix_format, __bindgen_anon_1), sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601);
        set(offset_of!(sys::v4l2_pix_format, quantization), quantization);
        set(offset_of!(sys::v4l2_pix_format, xfer_func), sys::v4l2_xfer_func_V4L2_XFER_FUNC_SRGB);
    }

    fn interval(&self, state: &mut State, request: Request, argument: &mut Argument) -> Result<(), Errno> {
        if argument.u32(offset_of!(sys::v4l2_streamparm, type_)) != CAPTURE {
            return Err(Errno::INVAL);
        }
        let numerator = field!(sys::v4l2_streamparm, parm, sys::v4l2_captureparm, timeperframe);
        let denominator = numerator + offset_of!(sys::v4l2_fract, denominator);
        if request == Request::S_PARM {
            state.own(self.id)?;
            if self.session(state)?.stream.is_some() {
                return Err(Errno::BUSY);
            }
            let wanted = Interval { numerator: argument.u32(numerator), denominator: argument.u32(denominator) };
            state.interval = self.camera.offer().nearest_interval(wanted).ok_or(Errno::NODEV)?;
        }
        argument.clear_from(offset_of!(sys::v4l2_streamparm, parm));
        let capability = field!(sys::v4l2_streamparm, parm, sys::v4l2_captureparm, capability);
        argument.set_u32(capability, sys::V4L2_CAP_TIMEPERFRAME);
        argument.set_u32(numerator, state.interval.numerator);
        argument.set_u32(denominator, state.interval.denominator);
        Ok(())
    }

    fn enumerate_sizes(&self, argument: &mut Argument) -> Result<(), Errno> {
        let index = argument.u32(offset_of!(sys::v4l2_frmsizeenum, index)) as usize;
        let sizes = self.camera.offer().sizes(argument.u32(offset_of!(sys::v4l2_frmsizeenum, pixel_format)));
        let &(width, height) = sizes.get(index).ok_or(Errno::INVAL)?;
        let kind = offset_of!(sys::v4l2_frmsizeenum, type_);
        argument.clear_from(kind);
        argument.set_u32(kind, sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE);
        let discrete = offset_of!(sys::v4l2_frmsizeenum, __bindgen_anon_1);
        argument.set_u32(discrete + offset_of!(sys::v4l2_frmsize_discrete, width), width);
        argument.set_u32(discrete + offset_of!(sys::v4l2_frmsize_discrete, height), height);
        Ok(())
    }

    fn enumerate_intervals(&self, argument: &mut Argument) -> Result<(), Errno> {
        let index = argument.u32(offset_of!(sys::v4l2_frmivalenum, index)) as usize;
        let sizes = self.camera.offer().sizes(argument.u32(offset_of!(sys::v4l2_frmivalenum, pixel_format)));
        let width = argument.u32(offset_of!(sys::v4l2_frmivalenum, width));
        let height = argument.u32(offset_of!(sys::v4l2_frmivalenum, height));
        let intervals = &self.camera.offer().intervals;
        let interval = intervals.get(index).filter(|_| sizes.contains(&(width, height))).ok_or(Errno::INVAL)?;
        let kind = offset_of!(sys::v4l2_frmivalenum, type_);
        argument.clear_from(kind);
        argument.set_u32(kind, sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE);
        let discrete = offset_of!(sys::v4l2_frmivalenum, __bindgen_anon_1);
        argument.set_u32(discrete + offset_of!(sys::v4l2_fract, numerator), interval.numerator);
        argument.set_u32(discrete + offset_of!(sys::v4l2_fract, denominator), interval.denominator);
        Ok(())
    }

    fn request_buffers(&self, state: &mut State, argument: &mut Argument) -> Result<(), Errno> {
        if argument.u32(offset_of!(sys::v4l2_requestbuffers, type_)) != CAPTURE {
            return Err(Errno::INVAL);
        }
        state.own(self.id)?;
        let memory = argument.u32(offset_of!(sys::v4l2_requestbuffers, memory));
        let capabilities = offset_of!(sys::v4l2_requestbuffers, capabilities);
        argument.clear_from(capabilities);
        argument.set_u32(capabilities, sys::V4L2_BUF_CAP_SUPPORTS_MMAP | sys::V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS);
        if memory != MMAP {
            return Err(Errno::INVAL);
        }
        let most = state.options.max_buffers.clamp(1.0, MAX_BUFFERS) as u32;
        let count = argument.u32(offset_of!(sys::v4l2_requestbuffers, count)).min(most);
        let mode = state.mode.ok_or(Errno::NODEV)?;
        let length = self.camera.offer().largest_frame(mode, &state.options);
        let session = self.session(state)?;
        if session.stream.is_some() {
            return Err(Errno::BUSY);
        }
        session.allocate(count, length)?;
        if count == 0 {
            state.owner = None;
        }
        argument.set_u32(offset_of!(sys::v4l2_requestbuffers, count), count);
        Ok(())
    }

    fn dequeue(
        &self,
        mut state: MutexGuard<'_, State>,
        argument: &mut Argument,
        is_nonblocking: bool,
    ) -> Result<(), Errno> {
        loop {
            let session = self.session(&mut state)?;
            if let Some(index) = session.dequeue() {
                return describe(session, index, argument);
            }
            if session.stream.is_none() {
                return Err(Errno::INVAL);
            }
            if is_nonblocking {
                return Err(Errno::AGAIN);
            }
            state = self.camera.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// `VIDIOC_CROPCAP` and `VIDIOC_G_SELECTION`: the whole picture.
fn rectangle(state: &State, request: Request, argument: &mut Argument) -> Result<(), Errno> {
    let mode = state.mode.ok_or(Errno::NODEV)?;
    // Both structures begin with the type.
    if argument.u32(0) != CAPTURE {
        return Err(Errno::INVAL);
    }
    if request == Request::CROPCAP {
        write_rectangle(argument, offset_of!(sys::v4l2_cropcap, bounds), mode);
        write_rectangle(argument, offset_of!(sys::v4l2_cropcap, defrect), mode);
        let aspect = offset_of!(sys::v4l2_cropcap, pixelaspect);
        argument.set_u32(aspect + offset_of!(sys::v4l2_fract, numerator), 1);
        argument.set_u32(aspect + offset_of!(sys::v4l2_fract, denominator), 1);
        return Ok(());
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

fn query_control(state: &State, request: Request, argument: &mut Argument) -> Result<(), Errno> {
    // Both structures begin with the id.
    let control = controls::find(argument.u32(0)).ok_or(Errno::INVAL)?;
    let flags = state.values.flags(control);
    argument.clear_from(0);
    argument.set_u32(0, control.id);
    if request == Request::QUERYCTRL {
        let mut set = |offset, value: i32| argument.set_u32(offset, value.cast_unsigned());
        set(offset_of!(sys::v4l2_queryctrl, minimum), control.minimum);
        set(offset_of!(sys::v4l2_queryctrl, maximum), control.maximum);
        set(offset_of!(sys::v4l2_queryctrl, step), control.step);
        set(offset_of!(sys::v4l2_queryctrl, default_value), control.default);
        argument.set_u32(offset_of!(sys::v4l2_queryctrl, type_), control.kind);
        argument.set_u32(offset_of!(sys::v4l2_queryctrl, flags), flags);
        argument.set_text(offset_of!(sys::v4l2_queryctrl, name), 32, control.name);
    } else {
        let mut set = |offset, value: i32| argument.set_i64(offset, i64::from(value));
        set(offset_of!(sys::v4l2_query_ext_ctrl, minimum), control.minimum);
        set(offset_of!(sys::v4l2_query_ext_ctrl, maximum), control.maximum);
        set(offset_of!(sys::v4l2_query_ext_ctrl, step), control.step);
        set(offset_of!(sys::v4l2_query_ext_ctrl, default_value), control.default);
        argument.set_u32(offset_of!(sys::v4l2_query_ext_ctrl, type_), control.kind);
        argument.set_u32(offset_of!(sys::v4l2_query_ext_ctrl, flags), flags);
        argument.set_text(offset_of!(sys::v4l2_query_ext_ctrl, name), 32, control.name);
        argument.set_u32(offset_of!(sys::v4l2_query_ext_ctrl, elem_size), if control.step == 0 { 0 } else { 4 });
        argument.set_u32(offset_of!(sys::v4l2_query_ext_ctrl, elems), 1);
    }
    Ok(())
}

/// Fills in a `v4l2_buffer`.
fn describe(session: &Session, index: usize, argument: &mut Argument) -> Result<(), Errno> {
    let buffer = session.buffers.get(index).ok_or(Errno::INVAL)?;
    if argument.u32(offset_of!(sys::v4l2_buffer, type_)) != CAPTURE {
        return Err(Errno::INVAL);
    }
    let state = match buffer.state {
        BufferState::Dequeued => 0,
        BufferState::Queued | BufferState::Active => sys::V4L2_BUF_FLAG_QUEUED,
        BufferState::Done => sys::V4L2_BUF_FLAG_DONE,
    };
    let clock = sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | sys::V4L2_BUF_FLAG_TSTAMP_SRC_SOE;
    let error = if buffer.is_flagged { sys::V4L2_BUF_FLAG_ERROR } else { 0 };
    argument.clear_from(0);
    argument.set_u32(offset_of!(sys::v4l2_buffer, index), index as u32);
    argument.set_u32(offset_of!(sys::v4l2_buffer, type_), CAPTURE);
    argument.set_u32(offset_of!(sys::v4l2_buffer, bytesused), buffer.used);
    argument.set_u32(offset_of!(sys::v4l2_buffer, flags), clock | state | error);
    argument.set_u32(offset_of!(sys::v4l2_buffer, field), sys::v4l2_field_V4L2_FIELD_NONE);
    let stamp = offset_of!(sys::v4l2_buffer, timestamp);
    argument.set_long(stamp + offset_of!(sys::timeval, tv_sec), buffer.taken.as_secs().cast_signed());
    argument.set_long(stamp + offset_of!(sys::timeval, tv_usec), i64::from(buffer.taken.subsec_micros()));
    argument.set_u32(offset_of!(sys::v4l2_buffer, sequence), buffer.sequence);
    argument.set_u32(offset_of!(sys::v4l2_buffer, memory), MMAP);
    argument.set_u32(offset_of!(sys::v4l2_buffer, m), buffer.offset);
    argument.set_u32(offset_of!(sys::v4l2_buffer, length), buffer.length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::FileExt;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;
    use crate::camera::cameras;
    use crate::environment::Environment;

    fn open(variables: &[(&str, &str)]) -> (Handle, OwnedFd) {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        cameras(Environment::new(variables))[0].open(true, true).unwrap()
    }

    /// Makes an ioctl with an argument of which these words are not zero, by their offsets.
    fn call(handle: &Handle, request: Request, words: &[(usize, u32)]) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; argument_length(request.code())];
        words.iter().for_each(|(offset, value)| Argument(&mut bytes).set_u32(*offset, *value));
        handle.ioctl(request.code(), Some(&mut bytes), true)?;
        Ok(bytes)
    }

    fn word(bytes: &mut [u8], offset: usize) -> u32 {
        Argument(bytes).u32(offset)
    }

    const BUFFER: [(usize, u32); 2] =
        [(offset_of!(sys::v4l2_buffer, type_), CAPTURE), (offset_of!(sys::v4l2_buffer, memory), MMAP)];

    /// Requests two buffers, queues the first and starts the stream.
    fn stream(handle: &Handle) {
        let request = [
            (offset_of!(sys::v4l2_requestbuffers, count), 2),
            (offset_of!(sys::v4l2_requestbuffers, type_), CAPTURE),
            (offset_of!(sys::v4l2_requestbuffers, memory), MMAP),
        ];
        call(handle, Request::REQBUFS, &request).unwrap();
        call(handle, Request::QBUF, &BUFFER).unwrap();
        call(handle, Request::STREAMON, &[(0, CAPTURE)]).unwrap();
    }

    fn wait(descriptor: &OwnedFd) -> PollFlags {
        let mut descriptors = [PollFd::new(descriptor, PollFlags::IN)];
        poll(&mut descriptors, None).unwrap();
        descriptors[0].revents()
    }

    #[test]
    fn numbers_of_requests_are_the_kernels() {
        assert_eq!(Request::QUERYCAP.code(), 0x8068_5600);
        assert_eq!(Request::S_FMT.code(), 0xC0D0_5605);
        assert_eq!(Request::DQBUF.code(), 0xC058_5611);
        assert_eq!(Request::STREAMON.code(), 0x4004_5612);
        assert_eq!(Request::of(Request::QUERY_EXT_CTRL.code()), Some(Request::QUERY_EXT_CTRL));
        assert_eq!(Request::of(0), None);
    }

    #[test]
    fn the_nearest_format_is_negotiated() {
        let (handle, _descriptor) = open(&[("FAKECAM_SIZES", "640x480,320x240")]);
        let wanted = [
            (offset_of!(sys::v4l2_format, type_), CAPTURE),
            (field!(sys::v4l2_format, fmt, sys::v4l2_pix_format, width), 300),
            (field!(sys::v4l2_format, fmt, sys::v4l2_pix_format, height), 200),
        ];
        let mut format = call(&handle, Request::S_FMT, &wanted).unwrap();
        assert_eq!(word(&mut format, field!(sys::v4l2_format, fmt, sys::v4l2_pix_format, width)), 320);
        assert_eq!(word(&mut format, field!(sys::v4l2_format, fmt, sys::v4l2_pix_format, height)), 240);
        assert_eq!(call(&handle, Request::S_FMT, &[]).err(), Some(Errno::INVAL), "another type of buffer");
    }

    #[test]
    fn frames_make_the_descriptor_readable() {
        let (handle, descriptor) = open(&[("FAKECAM_SIZES", "320x240"), ("FAKECAM_FPS", "100")]);
        stream(&handle);
        for sequence in 0..3 {
            assert_eq!(wait(&descriptor), PollFlags::IN);
            let mut buffer = call(&handle, Request::DQBUF, &BUFFER).unwrap();
            assert_eq!(word(&mut buffer, offset_of!(sys::v4l2_buffer, bytesused)), 320 * 240 * 2);
            assert!(word(&mut buffer, offset_of!(sys::v4l2_buffer, sequence)) >= sequence);
            assert_eq!(call(&handle, Request::DQBUF, &BUFFER).err(), Some(Errno::AGAIN), "there is one buffer");
            // The number in the picture: the last square, of 8 pixels, is its last bit.
            let memory = handle.memory(0, 320 * 240 * 2).unwrap();
            let mut luma = [0];
            memory.read_exact_at(&mut luma, 31 * 8 * 2).unwrap();
            let is_odd = word(&mut buffer, offset_of!(sys::v4l2_buffer, sequence)) % 2 == 1;
            assert_eq!(luma[0], if is_odd { 235 } else { 16 });
            call(&handle, Request::QBUF, &BUFFER).unwrap();
        }
        call(&handle, Request::STREAMOFF, &[(0, CAPTURE)]).unwrap();
        assert_eq!(call(&handle, Request::DQBUF, &BUFFER).err(), Some(Errno::INVAL));
    }

    #[test]
    fn an_unplugged_camera_is_gone() {
        let settings = [("FAKECAM_UNPLUG_AFTER", "2"), ("FAKECAM_SIZES", "320x240"), ("FAKECAM_FPS", "100")];
        let (handle, descriptor) = open(&[&settings[..], &[("FAKECAM_UNPLUG_SECONDS", "0")]].concat());
        stream(&handle);
        while !wait(&descriptor).contains(PollFlags::HUP) {
            if call(&handle, Request::DQBUF, &BUFFER).is_ok() {
                call(&handle, Request::QBUF, &BUFFER).unwrap();
            }
        }
        assert_eq!(call(&handle, Request::DQBUF, &BUFFER).err(), Some(Errno::NODEV));
        assert!(handle.is_dead() && handle.memory(0, 1).is_err());
        // It comes back when the old handle is closed.
        let camera = handle.camera.clone();
        assert!(!camera.is_present());
        drop(handle);
        assert!(camera.is_present());
    }

    #[test]
    fn another_handle_cannot_take_the_camera() {
        let (first, _descriptor) = open(&[]);
        stream(&first);
        let (second, _other) = first.camera.open(true, true).unwrap();
        assert_eq!(call(&second, Request::STREAMON, &[(0, CAPTURE)]).err(), Some(Errno::BUSY));
        drop(first);
        stream(&second);
    }

    #[test]
    fn controls_of_an_automatic_are_inactive() {
        const EXPOSURE_AUTO: u32 = 0x009A_0901;
        const EXPOSURE_ABSOLUTE: u32 = 0x009A_0902;
        let (handle, _descriptor) = open(&[]);
        let set = |id, value| call(&handle, Request::S_CTRL, &[(0, id), (4, value)]).err();
        assert_eq!(set(EXPOSURE_ABSOLUTE, 100), Some(Errno::ACCESS));
        assert_eq!(set(EXPOSURE_AUTO, 2), Some(Errno::INVAL), "a gap in the menu");
        assert_eq!(set(EXPOSURE_AUTO, 9), Some(Errno::RANGE));
        assert_eq!(set(EXPOSURE_AUTO, 1), None);
        assert_eq!(set(EXPOSURE_ABSOLUTE, 100), None);
        let mut value = call(&handle, Request::G_CTRL, &[(0, EXPOSURE_ABSOLUTE)]).unwrap();
        assert_eq!(word(&mut value, 4), 100);
    }
}
