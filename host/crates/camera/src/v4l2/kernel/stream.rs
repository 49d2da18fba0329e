//! A running stream with memory-mapped buffers.

use std::io;
use std::os::raw::c_int;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

use super::buffer::{BufferArgument, MMAP, Mapping};
use super::node::{Node, zeroed};
use super::signal;
use crate::raw::MAX_PLANES;
use crate::v4l2::device::{DequeuedBuffer, Stream};

/// A running stream: the device and its mapped buffers. Dropping it stops the stream and closes the device.
#[derive(Debug)]
pub(super) struct MmapStream {
    // The order matters: buffers are unmapped before the node is closed, which stops the stream and frees them.
    /// The planes of each buffer.
    mappings: Vec<Vec<Mapping>>,
    node: Node,
    /// Whether the driver reports changes of the signal.
    reports_changes: bool,
}

impl MmapStream {
    /// Maps up to `count` buffers, queues them all, and starts the stream.
    pub(super) fn start(node: Node, count: u32) -> io::Result<Self> {
        let mut request: sys::v4l2_requestbuffers = zeroed();
        request.count = count;
        request.type_ = node.buffer_type;
        request.memory = MMAP;
        node.ioctl(vidioc::VIDIOC_REQBUFS, &mut request)?;
        // Before the stream starts, so that no change is missed.
        let reports_changes = signal::subscribe_to_changes(&node);
        let mut stream = Self { mappings: Vec::new(), node, reports_changes };
        // The driver may allocate fewer or more buffers than requested.
        for index in 0..request.count {
            let mut buffer = BufferArgument::new(&stream.node, index);
            buffer.call(&stream.node, vidioc::VIDIOC_QUERYBUF)?;
            let planes = buffer.planes();
            stream
                .mappings
                .push(planes.iter().map(|plane| Mapping::new(&stream.node, plane)).collect::<Result<_, _>>()?);
            buffer.call(&stream.node, vidioc::VIDIOC_QBUF)?;
        }
        if stream.mappings.is_empty() {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        let mut buffer_type = stream.node.buffer_type as c_int;
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
        let mut buffer = BufferArgument::new(&self.node, 0);
        match buffer.call(&self.node, vidioc::VIDIOC_DQBUF) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut planes = buffer.planes().into_iter();
        let raw = buffer.raw;
        let monotonic = raw.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK == sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        // 32 or 64 bits wide, never negative.
        let seconds = u64::try_from(raw.timestamp.tv_sec).ok().filter(|_| monotonic);
        let microseconds = u64::try_from(raw.timestamp.tv_usec).unwrap_or(0);
        Ok(Some(DequeuedBuffer {
            index: raw.index,
            payloads: std::array::from_fn(|_| planes.next().map(|plane| plane.payload).unwrap_or_default()),
            is_flagged: raw.flags & sys::V4L2_BUF_FLAG_ERROR != 0,
            sequence: raw.sequence,
            timestamp: seconds.map(|seconds| Duration::from_secs(seconds) + Duration::from_micros(microseconds)),
        }))
    }

    fn planes<'a>(&'a self, buffer: &'a DequeuedBuffer) -> [&'a [u8]; MAX_PLANES] {
        let mut mappings = self.mappings.get(buffer.index as usize).into_iter().flatten();
        buffer.payloads.each_ref().map(|payload| {
            let Some(mapping) = mappings.next() else { return &[][..] };
            // SAFETY: the mapping is readable, `mapping.length` bytes long, and lives as long as `self`. The driver does
            // not write to a dequeued buffer, and `buffer` proves that it is dequeued: there is exactly one
            // `DequeuedBuffer` for each, and queuing consumes it and needs `self` mutably, which ends the borrow
            // returned here.
            let plane = unsafe { std::slice::from_raw_parts(mapping.start.as_ptr().cast::<u8>(), mapping.length) };
            plane.get(payload.start..payload.end.min(plane.len())).unwrap_or_default()
        })
    }

    fn queue(&mut self, buffer: DequeuedBuffer) -> io::Result<()> {
        BufferArgument::new(&self.node, buffer.index).call(&self.node, vidioc::VIDIOC_QBUF)
    }
}
