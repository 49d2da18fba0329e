//! The state of an open device: its file descriptor, buffers and queues.
//!
//! The program's file descriptor is one end of a socket pair. For each filled buffer, the camera writes one byte to the
//! other end, so that `poll`, `select` and `epoll` work as on a device without being interposed. Unplugging closes the
//! camera's end; the program's end then reports POLLERR and POLLHUP.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use socket2::SockRef;

/// The state of an open device.
#[derive(Debug)]
pub(crate) struct Session {
    /// The camera's end of the socket pair. `None` after the camera was unplugged.
    camera_end: Option<UnixStream>,
    /// A duplicate of the program's end.
    program_end: UnixStream,
    /// The id of the current stream. `None` while the device is not streaming.
    pub(crate) stream: Option<u64>,
    pub(crate) buffers: Vec<Buffer>,
    /// The file that the program maps the buffers from.
    pub(crate) memory: Option<Arc<File>>,
    /// Buffers to be filled, the oldest first.
    pub(crate) queued: VecDeque<usize>,
    /// Filled buffers, the oldest first.
    pub(crate) done: VecDeque<usize>,
    pub(crate) counts: FrameCounts,
    pub(crate) stalled_until: Option<Duration>,
}

/// A buffer (`v4l2_buffer`).
#[derive(Clone, Debug)]
pub(crate) struct Buffer {
    pub(crate) state: BufferState,
    /// The offset in the memory, for `mmap`.
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// The length of the frame.
    pub(crate) bytes_used: u32,
    pub(crate) has_error: bool,
    pub(crate) sequence: u32,
    pub(crate) captured_at: Duration,
}

/// The state of a buffer (`vb2_buffer_state` in the kernel).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BufferState {
    /// Owned by the program.
    Dequeued,
    /// Waiting to be filled.
    Queued,
    /// Being filled.
    Active,
    /// Filled, waiting for `VIDIOC_DQBUF`.
    Done,
}

/// Statistics since the start of the stream.
#[derive(Debug, Default)]
pub(crate) struct FrameCounts {
    /// Frames that were due so far. The sequence number of the next frame.
    pub(crate) frames: u32,
    pub(crate) delivered: u32,
    /// Frames lost because no buffer was queued or the thread was late.
    pub(crate) lost: u32,
}

/// The alignment of buffers: the largest page size of Linux on the supported architectures.
const ALIGNMENT: u32 = 65_536;

impl Session {
    /// Returns the session and the program's end of the socket pair.
    pub(crate) fn open(is_nonblocking: bool) -> io::Result<(Self, UnixStream)> {
        let (camera_end, program_end) = UnixStream::pair()?;
        camera_end.set_nonblocking(true)?;
        // Fill the program's send buffer, because a capture device is never writable. The unread bytes also turn the
        // later close of the camera's end into an error, so that `poll` reports POLLERR as for an unplugged camera.
        SockRef::from(&program_end).set_send_buffer_size(1)?;
        program_end.set_nonblocking(true)?;
        while (&program_end).write(&[0; 256]).is_ok() {}
        program_end.set_nonblocking(is_nonblocking)?;
        let session = Self {
            camera_end: Some(camera_end),
            program_end: program_end.try_clone()?,
            stream: None,
            buffers: Vec::new(),
            memory: None,
            queued: VecDeque::new(),
            done: VecDeque::new(),
            counts: FrameCounts::default(),
            stalled_until: None,
        };
        Ok((session, program_end))
    }

    pub(crate) fn is_unplugged(&self) -> bool {
        self.camera_end.is_none()
    }

    /// Closes the camera's end, because the camera was unplugged.
    pub(crate) fn unplug(&mut self) {
        if let Some(camera_end) = self.camera_end.take() {
            // Makes `poll` report POLLPRI, like the kernel. Some kernels do not support out-of-band data here.
            let _ = SockRef::from(&camera_end).send_out_of_band(b"x");
        }
    }

    /// Replaces the buffers.
    pub(crate) fn allocate(&mut self, count: u32, length: u32) -> Result<(), Errno> {
        self.release();
        if count == 0 {
            return Ok(());
        }
        let stride = length.next_multiple_of(ALIGNMENT);
        let memory = File::from(memfd_create("fakecam", MemfdFlags::CLOEXEC)?);
        memory.set_len(u64::from(stride) * u64::from(count)).map_err(|_| Errno::NOMEM)?;
        self.memory = Some(Arc::new(memory));
        let buffer = |index| Buffer {
            state: BufferState::Dequeued,
            offset: index * stride,
            length,
            bytes_used: 0,
            has_error: false,
            sequence: 0,
            captured_at: Duration::ZERO,
        };
        self.buffers = (0..count).map(buffer).collect();
        Ok(())
    }

    /// Frees the buffers. Mappings of the program remain valid.
    fn release(&mut self) {
        self.stop();
        self.buffers.clear();
        self.memory = None;
    }

    /// Stops the stream and returns all buffers to the program.
    pub(crate) fn stop(&mut self) {
        self.stream = None;
        self.queued.clear();
        // Each filled buffer has a byte in the socket, so this does not block.
        let mut bytes = vec![0; self.done.len()];
        self.done.clear();
        if !self.is_unplugged() {
            let _ = (&self.program_end).read_exact(&mut bytes);
        }
        for buffer in &mut self.buffers {
            buffer.state = BufferState::Dequeued;
        }
    }

    /// Queues a buffer to be filled.
    pub(crate) fn queue(&mut self, index: usize) -> Result<(), Errno> {
        let buffer = self.buffers.get_mut(index).filter(|buffer| buffer.state == BufferState::Dequeued);
        let buffer = buffer.ok_or(Errno::INVAL)?;
        buffer.state = BufferState::Queued;
        buffer.bytes_used = 0;
        buffer.has_error = false;
        buffer.captured_at = Duration::ZERO;
        self.queued.push_back(index);
        Ok(())
    }

    /// Marks a buffer as filled, which makes the file descriptor readable.
    pub(crate) fn complete(&mut self, index: usize) -> io::Result<()> {
        self.buffers[index].state = BufferState::Done;
        self.done.push_back(index);
        self.counts.delivered += 1;
        match &mut self.camera_end {
            Some(camera_end) => camera_end.write_all(b"x"),
            None => Ok(()),
        }
    }

    /// Dequeues the oldest filled buffer.
    pub(crate) fn dequeue(&mut self) -> Option<usize> {
        let index = self.done.pop_front()?;
        // The buffer has a byte in the socket, so this does not block.
        let _ = (&self.program_end).read_exact(&mut [0]);
        self.buffers[index].state = BufferState::Dequeued;
        Some(index)
    }
}
