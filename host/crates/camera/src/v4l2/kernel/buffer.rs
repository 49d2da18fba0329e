//! The argument of the calls for a buffer (`struct v4l2_buffer`), and the mapping of its planes.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::raw::{c_int, c_void};
use std::ptr::NonNull;

use v4l::v4l_sys as sys;
use v4l::v4l2::{self, vidioc};

use super::node::{Node, zeroed};
use crate::raw::MAX_PLANES;

pub(super) const MMAP: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;

/// The argument of a call for a buffer. The kernel gives a multi-planar buffer a list of planes, and describes the only
/// plane of a single-planar one in the buffer itself.
pub(super) struct BufferArgument {
    pub(super) raw: sys::v4l2_buffer,
    /// Used only by multi-planar buffers.
    planes: [sys::v4l2_plane; MAX_PLANES],
    is_multi_planar: bool,
}

/// A plane of a buffer.
#[derive(Clone, Debug)]
pub(super) struct BufferPlane {
    /// Where to map it.
    offset: u32,
    length: usize,
    /// The bytes that the driver claims to have written.
    pub(super) payload: Range<usize>,
}

impl BufferArgument {
    pub(super) fn new(node: &Node, index: u32) -> Self {
        let raw = sys::v4l2_buffer { index, type_: node.buffer_type, memory: MMAP, ..zeroed() };
        Self { raw, planes: [zeroed(); MAX_PLANES], is_multi_planar: node.is_multi_planar() }
    }

    /// Makes a call, which replaces the contents. Fails with EINVAL if the buffer has more planes than
    /// [`MAX_PLANES`].
    pub(super) fn call(&mut self, node: &Node, request: vidioc::_IOC_TYPE) -> io::Result<()> {
        if self.is_multi_planar {
            // The kernel reads and writes `length` planes at this pointer. Both are set here, for planes that live as
            // long as the call.
            self.raw.m.planes = self.planes.as_mut_ptr();
            self.raw.length = MAX_PLANES as u32;
        }
        node.ioctl(request, &mut self.raw)
    }

    /// Returns the planes after a call.
    pub(super) fn planes(&self) -> Vec<BufferPlane> {
        if !self.is_multi_planar {
            // SAFETY: `m` holds an offset because the type of memory is MMAP.
            let offset = unsafe { self.raw.m.offset };
            let payload = 0..self.raw.bytesused as usize;
            return vec![BufferPlane { offset, length: self.raw.length as usize, payload }];
        }
        let plane = |plane: &sys::v4l2_plane| BufferPlane {
            // SAFETY: as above.
            offset: unsafe { plane.m.mem_offset },
            length: plane.length as usize,
            // `bytesused` includes what precedes the data.
            payload: plane.data_offset as usize..plane.bytesused as usize,
        };
        self.planes.iter().take(self.raw.length as usize).map(plane).collect()
    }
}

/// A mapped plane.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) start: NonNull<c_void>,
    pub(super) length: usize,
}

// SAFETY: only the mapping refers to the memory, and the memory is not tied to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps a plane that VIDIOC_QUERYBUF has described.
    pub(super) fn new(node: &Node, plane: &BufferPlane) -> io::Result<Self> {
        /// From `asm-generic/mman.h`; the same on every Linux.
        const PROT_READ: c_int = 1;
        const MAP_SHARED: c_int = 1;
        let length = plane.length;
        // SAFETY: the kernel chooses the address, so the new mapping affects no memory in use.
        let start = unsafe {
            v4l2::mmap(std::ptr::null_mut(), length, PROT_READ, MAP_SHARED, node.file.as_raw_fd(), plane.offset as _)?
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
