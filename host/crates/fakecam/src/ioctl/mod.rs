//! The ioctls of V4L2, by family.

mod argument;
mod buffers;
mod capability;
mod control_values;
mod format;
mod frame_interval;
mod request;
#[cfg(test)]
mod tests;

use rustix::io::Errno;

use self::argument::Argument;
use self::request::Request;
use crate::camera::Handle;
use crate::log::log;

/// Returns the length of an ioctl's argument in bytes, which its request code contains (asm-generic/ioctl.h).
#[must_use]
pub fn argument_length(code: u32) -> usize {
    (code >> 16 & 0x3FFF) as usize
}

impl Handle {
    /// Executes an ioctl of type `V`. `argument` has the length that [`argument_length`] returns; `None` is a null
    /// pointer.
    ///
    /// `VIDIOC_DQBUF` blocks until a buffer is filled, unless `is_nonblocking` is true. No other ioctl blocks.
    ///
    /// # Errors
    ///
    /// The errors of the kernel's drivers, or the error in `FAIL`.
    pub fn ioctl(&self, code: u32, argument: Option<&mut [u8]>, is_nonblocking: bool) -> Result<(), Errno> {
        let request = Request::from_code(code);
        let result = self.execute(request, argument, is_nonblocking);
        let level = if matches!(request, Some(Request::QBUF | Request::DQBUF)) { 3 } else { 2 };
        log(level, || {
            let name = request.map_or_else(|| format!("ioctl {code:#x}"), |request| request.name().to_owned());
            format!("video{}: {name}: {result:?}", self.camera.index())
        });
        result
    }

    fn execute(
        &self,
        request: Option<Request>,
        argument: Option<&mut [u8]>,
        is_nonblocking: bool,
    ) -> Result<(), Errno> {
        let mut state = self.camera.lock();
        self.camera.refresh(&mut state);
        self.session(&mut state)?;
        let request = request.ok_or(Errno::NOTTY)?;
        let argument = &mut Argument(argument.ok_or(Errno::FAULT)?);
        state.injected_errors.check(&self.camera.settings, request.name())?;
        match request {
            Request::QUERYCAP => self.query_capability(argument),
            Request::ENUMINPUT => capability::enumerate_inputs(argument)?,
            Request::G_INPUT => capability::get_input(argument),
            Request::S_INPUT => capability::set_input(argument)?,
            Request::G_PRIORITY => capability::get_priority(argument),
            Request::S_PRIORITY => {}
            Request::CROPCAP => capability::cropping(&state, argument)?,
            Request::G_SELECTION => capability::get_selection(&state, argument)?,
            Request::ENUM_FMT => self.enumerate_formats(argument)?,
            Request::ENUM_FRAMESIZES => self.enumerate_sizes(argument)?,
            Request::G_FMT => self.get_format(&state, argument)?,
            Request::TRY_FMT => self.try_format(&state, argument)?,
            Request::S_FMT => self.set_format(&mut state, argument)?,
            Request::ENUM_FRAMEINTERVALS => self.enumerate_intervals(argument)?,
            Request::G_PARM => frame_interval::get_parameters(&state, argument)?,
            Request::S_PARM => self.set_parameters(&mut state, argument)?,
            Request::QUERYCTRL => control_values::query(&state, argument)?,
            Request::QUERY_EXT_CTRL => control_values::query_extended(&state, argument)?,
            Request::QUERYMENU => control_values::query_menu(argument)?,
            Request::G_CTRL => control_values::get(&state, argument)?,
            Request::S_CTRL => control_values::set(&mut state, argument)?,
            Request::REQBUFS => self.request_buffers(&mut state, argument)?,
            Request::QUERYBUF => self.query_buffer(&mut state, argument)?,
            Request::QBUF => self.queue_buffer(&mut state, argument)?,
            Request::DQBUF => self.dequeue_buffer(state, argument, is_nonblocking)?,
            Request::STREAMON => {
                self.check_stream_argument(&state, argument)?;
                self.stream_on(&mut state)?;
            }
            Request::STREAMOFF => {
                self.check_stream_argument(&state, argument)?;
                self.stream_off(&mut state);
            }
        }
        Ok(())
    }
}
