//! A running stream with memory-mapped buffers.

use std::io;
use std::os::fd::AsRawFd;
use std::os::raw::{c_int, c_void};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use v4l::v4l_sys as sys;
use v4l::v4l2::{self, vidioc};

use super::node::{CAPTURE, Node, zeroed};
use super::signal;
use crate::v4l2::device::{DequeuedBuffer, Stream};

const MMAP: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;

/// A running stream: the device and its mapped buffers. Dropping it stops the stream and closes the device.
#[derive(Debug)]
pub(super) struct MmapStream {
    // The order matters: buffers are unmapped before the node is closed, which stops the stream and frees them.
    mappings: Vec<Mapping>,
    node: Node,
    /// Whether the driver reports changes of the signal.
    reports_changes: bool,
}

impl MmapStream {
    /// Maps up to `count` buffers, queues them all, and starts the stream.
    pub(super) fn start(node: Node, count: u32) -> io::Result<Self> {
        let mut request: sys::v4l2_requestbuffers = zeroed();
        request.count = count;
        request.type_ = CAPTURE;
        request.memory = MMAP;
        node.ioctl(vidioc::VIDIOC_REQBUFS, &mut request)?;
        // Before the stream starts, so that no change is missed.
        let reports_changes = signal::subscribe_to_changes(&node);
        let mut stream = Self { mappings: Vec::new(), node, reports_changes };
        // The driver may allocate fewer or more buffers than requested.
        for index in 0..request.count {
            let mut raw = buffer_argument(index);
            stream.node.ioctl(vidioc::VIDIOC_QUERYBUF, &mut raw)?;
            stream.mappings.push(Mapping::new(&stream.node, &raw)?);
            stream.node.ioctl(vidioc::VIDIOC_QBUF, &mut raw)?;
        }
        if stream.mappings.is_empty() {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        let mut buffer_type = CAPTURE as c_int;
        stream.node.ioctl(vidioc::VIDIOC_STREAMON, &mut buffer_type)?;
        Ok(stream)
    }
}

impl Stream for MmapStream {
    fn wait(&self, deadline: Instant) -> io::Result<bool> {
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: remaining.as_secs() as i64, tv_nsec: i64::from(remaining.subsec_nanos()) };
            // PRI: an event.
            match poll(&mut [PollFd::new(&self.node.file, PollFlags::IN | PollFlags::PRI)], Some(&timeout)) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn has_signal_changed(&mut self) -> bool {
        self.reports_changes && signal::dequeue_change(&self.node)
    }

    fn dequeue(&mut self) -> io::Result<Option<DequeuedBuffer>> {
        let mut raw = buffer_argument(0);
        match self.node.ioctl(vidioc::VIDIOC_DQBUF, &mut raw) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let monotonic = raw.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK == sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        // 32 or 64 bits wide, never negative.
        let seconds = u64::try_from(raw.timestamp.tv_sec).ok().filter(|_| monotonic);
        let microseconds = u64::try_from(raw.timestamp.tv_usec).unwrap_or(0);
        Ok(Some(DequeuedBuffer {
            index: raw.index,
            bytes_used: raw.bytesused,
            is_flagged: raw.flags & sys::V4L2_BUF_FLAG_ERROR != 0,
            sequence: raw.sequence,
            timestamp: seconds.map(|seconds| Duration::from_secs(seconds) + Duration::from_micros(microseconds)),
        }))
    }

    fn bytes<'a>(&'a self, buffer: &'a DequeuedBuffer) -> &'a [u8] {
        let Some(mapping) = self.mappings.get(buffer.index as usize) else { return &[] };
        let length = mapping.length.min(buffer.bytes_used as usize);
        // SAFETY: the mapping is readable, `mapping.length` bytes long, and lives as long as `self`. The driver does
        // not write to a dequeued buffer, and `buffer` proves that it is dequeued: there is exactly one
        // `DequeuedBuffer` for each, and queuing consumes it and needs `self` mutably, which ends the borrow returned
        // here.
        unsafe { std::slice::from_raw_parts(mapping.start.as_ptr().cast::<u8>(), length) }
    }

    fn queue(&mut self, buffer: DequeuedBuffer) -> io::Result<()> {
        self.node.ioctl(vidioc::VIDIOC_QBUF, &mut buffer_argument(buffer.index))
    }
}

/// A mapped buffer.
#[derive(Debug)]
struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

// SAFETY: only the mapping refers to the memory, and the memory is not tied to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(node: &Node, raw: &sys::v4l2_buffer) -> io::Result<Self> {
        /// From `asm-generic/mman.h`; the same on every Linux.
        const PROT_READ: c_int = 1;
        const MAP_SHARED: c_int = 1;
        let length = raw.length as usize;
        // SAFETY: the kernel chooses the address, so the new mapping affects no memory in use. VIDIOC_QUERYBUF returned
        // the offset and the length; `m` holds an offset because the buffer's memory type is MMAP.
        let start = unsafe {
            v4l2::mmap(std::ptr::null_mut(), length, PROT_READ, MAP_SHARED, node.file.as_raw_fd(), raw.m.offset as _)?
        };
        NonNull::new(start)
            .map(|start| Self { start, length })
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping created in `new`, and nothing borrows from it. Fails only for invalid arguments.
        let _ = unsafe { v4l2::munmap(self.start.as_ptr(), self.length) };
    }
}

/// Returns the ioctl argument for a buffer.
fn buffer_argument(index: u32) -> sys::v4l2_buffer {
    sys::v4l2_buffer { index, type_: CAPTURE, memory: MMAP, ..zeroed() }
}
