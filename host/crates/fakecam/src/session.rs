//! An open device: its descriptor, buffers and queues.
//!
//! The program's descriptor is one end of a socket pair. The camera keeps exactly one byte in flight for each filled
//! buffer, so `poll`, `select` and `epoll` work on it as on a device, without any interposition. Closing the camera's
//! end is the unplug: the program's end then reports POLLERR and POLLHUP.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use socket2::SockRef;

/// An open device.
#[derive(Debug)]
pub(crate) struct Session {
    /// The camera's end. `None` once it was unplugged.
    peer: Option<UnixStream>,
    /// A duplicate of the program's end.
    program: UnixStream,
    /// The number of the stream that is on.
    pub(crate) stream: Option<u64>,
    pub(crate) buffers: Vec<Buffer>,
    /// What the buffers are mapped from.
    pub(crate) memory: Option<Arc<File>>,
    pub(crate) queued: VecDeque<usize>,
    pub(crate) done: VecDeque<usize>,
    pub(crate) counts: Counts,
    pub(crate) stalled_until: Option<Duration>,
}

/// A buffer of a device.
#[derive(Clone, Debug)]
pub(crate) struct Buffer {
    pub(crate) state: BufferState,
    /// Where it is in the memory.
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// The length of the frame in it.
    pub(crate) used: u32,
    pub(crate) is_flagged: bool,
    pub(crate) sequence: u32,
    pub(crate) taken: Duration,
}

/// Who has a buffer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BufferState {
    /// The program.
    Dequeued,
    /// The camera, which will fill it.
    Queued,
    /// The camera, which is filling it.
    Active,
    /// Nobody: it is filled.
    Done,
}

/// What became of the frame times since the stream was started.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Frame times so far, and so the sequence number of the next frame.
    pub(crate) frames: u32,
    pub(crate) delivered: u32,
    /// For want of a buffer, or because the machine was late.
    pub(crate) lost: u32,
}

/// Buffers start at multiples of this: the largest size of a page that Linux has on the machines supported.
const ALIGNMENT: u32 = 65_536;

impl Session {
    /// Returns the program's end as well.
    pub(crate) fn open(is_nonblocking: bool) -> io::Result<(Self, UnixStream)> {
        let (peer, program) = UnixStream::pair()?;
        peer.set_nonblocking(true)?;
        // Fill what the program could send, because a capture device is never writable. The unread bytes also make
        // the later close of the camera's end an error, which is what `poll` reports for an unplugged camera.
        SockRef::from(&program).set_send_buffer_size(1)?;
        program.set_nonblocking(true)?;
        while (&program).write(&[0; 256]).is_ok() {}
        program.set_nonblocking(is_nonblocking)?;
        let session = Self {
            peer: Some(peer),
            program: program.try_clone()?,
            stream: None,
            buffers: Vec::new(),
            memory: None,
            queued: VecDeque::new(),
            done: VecDeque::new(),
            counts: Counts::default(),
            stalled_until: None,
        };
        Ok((session, program))
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.peer.is_none()
    }

    /// The plug is pulled.
    pub(crate) fn unplug(&mut self) {
        if let Some(peer) = self.peer.take() {
            // POLLPRI, as the kernel reports; not all kernels can send it over such a socket.
            let _ = SockRef::from(&peer).send_out_of_band(b"x");
        }
    }

    /// Replaces the buffers by so many of this length.
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
            used: 0,
            is_flagged: false,
            sequence: 0,
            taken: Duration::ZERO,
        };
        self.buffers = (0..count).map(buffer).collect();
        Ok(())
    }

    /// Frees the buffers. The program's mappings stay valid.
    fn release(&mut self) {
        self.stop();
        self.buffers.clear();
        self.memory = None;
    }

    /// Ends the stream; all buffers belong to the program again.
    pub(crate) fn stop(&mut self) {
        self.stream = None;
        self.queued.clear();
        // The bytes of the buffers that are not dequeued now.
        let mut bytes = vec![0; self.done.len()];
        self.done.clear();
        if !self.is_dead() {
            // They are there, so that this does not block.
            let _ = (&self.program).read_exact(&mut bytes);
        }
        for buffer in &mut self.buffers {
            buffer.state = BufferState::Dequeued;
        }
    }

    pub(crate) fn queue(&mut self, index: usize) -> Result<(), Errno> {
        let buffer = self.buffers.get_mut(index).filter(|buffer| buffer.state == BufferState::Dequeued);
        let buffer = buffer.ok_or(Errno::INVAL)?;
        buffer.state = BufferState::Queued;
        buffer.used = 0;
        buffer.is_flagged = false;
        buffer.taken = Duration::ZERO;
        self.queued.push_back(index);
        Ok(())
    }

    /// A buffer is filled: the descriptor becomes readable.
    pub(crate) fn complete(&mut self, index: usize) -> io::Result<()> {
        self.buffers[index].state = BufferState::Done;
        self.done.push_back(index);
        self.counts.delivered += 1;
        match &mut self.peer {
            Some(peer) => peer.write_all(b"x"),
            None => Ok(()),
        }
    }

    /// The oldest filled buffer.
    pub(crate) fn dequeue(&mut self) -> Option<usize> {
        let index = self.done.pop_front()?;
        // Its byte is there, so that this does not block.
        let _ = (&self.program).read_exact(&mut [0]);
        self.buffers[index].state = BufferState::Dequeued;
        Some(index)
    }
}
