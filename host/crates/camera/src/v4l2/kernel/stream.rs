//! A started stream: the driver's buffers in this process's memory.

use std::io;
use std::os::fd::AsRawFd;
use std::os::raw::{c_int, c_void};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use v4l::v4l_sys as sys;
use v4l::v4l2::{self, vidioc};

use super::{CAPTURE, Node, zeroed};
use crate::v4l2::device::{Filled, Stream};

const MMAP: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;

/// A started stream: the device and its buffers. Dropping it stops the stream and closes the device.
#[derive(Debug)]
pub(super) struct Started {
    // Dropped in this order: unmapped first, then closed, which stops the stream and frees the buffers.
    mappings: Vec<Mapping>,
    node: Node,
}

impl Started {
    /// Map up to `count` buffers, give all of them to the driver, and start the stream.
    pub(super) fn start(node: Node, count: u32) -> io::Result<Self> {
        let mut request: sys::v4l2_requestbuffers = zeroed();
        request.count = count;
        request.type_ = CAPTURE;
        request.memory = MMAP;
        node.ioctl(vidioc::VIDIOC_REQBUFS, &mut request)?;
        let mut started = Self { mappings: Vec::new(), node };
        // The driver may grant fewer than were asked for, and more.
        for index in 0..request.count {
            let mut raw = buffer(index);
            started.node.ioctl(vidioc::VIDIOC_QUERYBUF, &mut raw)?;
            started.mappings.push(Mapping::new(&started.node, &raw)?);
            started.node.ioctl(vidioc::VIDIOC_QBUF, &mut raw)?;
        }
        if started.mappings.is_empty() {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        let mut kind = CAPTURE as c_int;
        started.node.ioctl(vidioc::VIDIOC_STREAMON, &mut kind)?;
        Ok(started)
    }
}

impl Stream for Started {
    fn wait(&self, deadline: Instant) -> io::Result<bool> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            match poll(&mut [PollFd::new(&self.node.file, PollFlags::IN)], Some(&timeout)) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn dequeue(&mut self) -> io::Result<Option<Filled>> {
        let mut raw = buffer(0);
        match self.node.ioctl(vidioc::VIDIOC_DQBUF, &mut raw) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let monotonic = raw.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK == sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        // Of 32 or 64 bits, and never negative.
        let seconds = u64::try_from(raw.timestamp.tv_sec).ok().filter(|_| monotonic);
        let microseconds = u64::try_from(raw.timestamp.tv_usec).unwrap_or(0);
        Ok(Some(Filled {
            index: raw.index,
            used: raw.bytesused,
            flagged: raw.flags & sys::V4L2_BUF_FLAG_ERROR != 0,
            sequence: raw.sequence,
            timestamp: seconds.map(|seconds| Duration::from_secs(seconds) + Duration::from_micros(microseconds)),
        }))
    }

    fn bytes<'a>(&'a self, filled: &'a Filled) -> &'a [u8] {
        let Some(mapping) = self.mappings.get(filled.index as usize) else { return &[] };
        let length = mapping.length.min(filled.used as usize);
        // SAFETY: the mapping is `mapping.length` bytes long, readable, and lives as long as `self`. The
        // driver does not write to a buffer that it has handed over, and `filled` proves that it has: there
        // is one for each dequeued buffer, and giving the buffer back takes it away, and needs `self` for itself.
        unsafe { std::slice::from_raw_parts(mapping.start.as_ptr().cast::<u8>(), length) }
    }

    fn queue(&mut self, filled: Filled) -> io::Result<()> {
        self.node.ioctl(vidioc::VIDIOC_QBUF, &mut buffer(filled.index))
    }
}

/// One of the driver's buffers in this process's memory.
#[derive(Debug)]
struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

// SAFETY: the memory belongs to the mapping alone and is not tied to the thread that made it.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(node: &Node, raw: &sys::v4l2_buffer) -> io::Result<Self> {
        /// Readable, and shared with the driver (`asm-generic/mman.h`; the same on every Linux).
        const PROT_READ: c_int = 1;
        const MAP_SHARED: c_int = 1;
        let length = raw.length as usize;
        // SAFETY: a new mapping at an address of the kernel's choice, so no memory in use is touched. The
        // offset is the one that the driver gave for a buffer of that length (VIDIOC_QUERYBUF); `m` holds an
        // offset for buffers of the kind MMAP.
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
        // SAFETY: exactly the mapping made in `new`, and nothing borrows from it any more.
        // It can only fail for arguments that are wrong, and there would be nothing to do about it.
        let _ = unsafe { v4l2::munmap(self.start.as_ptr(), self.length) };
    }
}

/// The argument for an ioctl about one buffer.
fn buffer(index: u32) -> sys::v4l2_buffer {
    sys::v4l2_buffer { index, type_: CAPTURE, memory: MMAP, ..zeroed() }
}
