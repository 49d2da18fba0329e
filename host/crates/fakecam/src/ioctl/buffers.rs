//! Buffers and streaming.

use std::mem::offset_of;
use std::sync::{MutexGuard, PoisonError};

use rustix::io::Errno;
use v4l2_sys_mit as sys;

use super::argument::{Argument, CAPTURE, MMAP};
use crate::camera::{Handle, State};
use crate::session::{BufferState, Session};

/// The largest number of buffers (`VIDEO_MAX_FRAME` in linux/videodev2.h).
const MAX_BUFFERS: f64 = 32.0;

impl Handle {
    pub(super) fn request_buffers(&self, state: &mut State, argument: &mut Argument) -> Result<(), Errno> {
        if argument.u32(offset_of!(sys::v4l2_requestbuffers, type_)) != CAPTURE {
            return Err(Errno::INVAL);
        }
        state.claim(self.id)?;
        let memory = argument.u32(offset_of!(sys::v4l2_requestbuffers, memory));
        let capabilities = offset_of!(sys::v4l2_requestbuffers, capabilities);
        argument.clear_from(capabilities);
        argument.set_u32(capabilities, sys::V4L2_BUF_CAP_SUPPORTS_MMAP | sys::V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS);
        if memory != MMAP {
            return Err(Errno::INVAL);
        }
        let limit = state.options.max_buffers.clamp(1.0, MAX_BUFFERS) as u32;
        let count = argument.u32(offset_of!(sys::v4l2_requestbuffers, count)).min(limit);
        let mode = state.mode.ok_or(Errno::NODEV)?;
        let length = self.camera.formats().max_frame_length(mode, &state.options);
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

    pub(super) fn query_buffer(&self, state: &mut State, argument: &mut Argument) -> Result<(), Errno> {
        let index = argument.u32(offset_of!(sys::v4l2_buffer, index)) as usize;
        write_buffer(self.session(state)?, index, argument)
    }

    pub(super) fn queue_buffer(&self, state: &mut State, argument: &mut Argument) -> Result<(), Errno> {
        self.check_buffer_argument(state, argument)?;
        let index = argument.u32(offset_of!(sys::v4l2_buffer, index)) as usize;
        let session = self.session(state)?;
        session.queue(index)?;
        write_buffer(session, index, argument)
    }

    /// `VIDIOC_DQBUF`. Blocks until a buffer is filled, unless `is_nonblocking` is true.
    pub(super) fn dequeue_buffer(
        &self,
        mut state: MutexGuard<'_, State>,
        argument: &mut Argument,
        is_nonblocking: bool,
    ) -> Result<(), Errno> {
        self.check_buffer_argument(&state, argument)?;
        loop {
            let session = self.session(&mut state)?;
            if let Some(index) = session.dequeue() {
                return write_buffer(session, index, argument);
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

    fn check_buffer_argument(&self, state: &State, argument: &Argument) -> Result<(), Errno> {
        if argument.u32(offset_of!(sys::v4l2_buffer, type_)) != CAPTURE
            || argument.u32(offset_of!(sys::v4l2_buffer, memory)) != MMAP
        {
            return Err(Errno::INVAL);
        }
        self.check_owner(state)
    }

    /// Checks the argument of `VIDIOC_STREAMON` and `VIDIOC_STREAMOFF`.
    pub(super) fn check_stream_argument(&self, state: &State, argument: &Argument) -> Result<(), Errno> {
        if argument.u32(0) != CAPTURE {
            return Err(Errno::INVAL);
        }
        self.check_owner(state)
    }

    fn check_owner(&self, state: &State) -> Result<(), Errno> {
        if state.owner.is_some_and(|owner| owner != self.id) { Err(Errno::BUSY) } else { Ok(()) }
    }
}

/// Writes a `v4l2_buffer`.
fn write_buffer(session: &Session, index: usize, argument: &mut Argument) -> Result<(), Errno> {
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
    let error = if buffer.has_error { sys::V4L2_BUF_FLAG_ERROR } else { 0 };
    argument.clear_from(0);
    argument.set_u32(offset_of!(sys::v4l2_buffer, index), index as u32);
    argument.set_u32(offset_of!(sys::v4l2_buffer, type_), CAPTURE);
    argument.set_u32(offset_of!(sys::v4l2_buffer, bytesused), buffer.bytes_used);
    argument.set_u32(offset_of!(sys::v4l2_buffer, flags), clock | state | error);
    argument.set_u32(offset_of!(sys::v4l2_buffer, field), sys::v4l2_field_V4L2_FIELD_NONE);
    let timestamp = offset_of!(sys::v4l2_buffer, timestamp);
    argument.set_long(timestamp + offset_of!(sys::timeval, tv_sec), buffer.captured_at.as_secs().cast_signed());
    argument.set_long(timestamp + offset_of!(sys::timeval, tv_usec), i64::from(buffer.captured_at.subsec_micros()));
    argument.set_u32(offset_of!(sys::v4l2_buffer, sequence), buffer.sequence);
    argument.set_u32(offset_of!(sys::v4l2_buffer, memory), MMAP);
    argument.set_u32(offset_of!(sys::v4l2_buffer, m), buffer.offset);
    argument.set_u32(offset_of!(sys::v4l2_buffer, length), buffer.length);
    Ok(())
}
