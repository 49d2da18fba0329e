//! An open device node and its ioctls.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::raw::c_void;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use v4l::v4l_sys as sys;
use v4l::v4l2::{self, vidioc};

use crate::v4l2::device::DeviceCaps;

/// The buffer type of single-planar capture.
pub(super) const CAPTURE: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;
/// The buffer type of multi-planar capture.
pub(super) const CAPTURE_MPLANE: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;

/// The directions of requests (`asm-generic/ioctl.h`).
pub(super) const WRITE: vidioc::_IOC_TYPE = 1;
pub(super) const READ: vidioc::_IOC_TYPE = 2;

/// Encodes a request of V4L2 as `asm-generic/ioctl.h` does: direction, size, type and number.
pub(super) const fn request<T>(direction: vidioc::_IOC_TYPE, number: vidioc::_IOC_TYPE) -> vidioc::_IOC_TYPE {
    direction << 30 | (size_of::<T>() as vidioc::_IOC_TYPE) << 16 | (b'V' as vidioc::_IOC_TYPE) << 8 | number
}

/// The most entries read from a list, in case a driver never ends it with EINVAL. The longest known list has some 80.
pub(super) const LIST_LIMIT: u32 = 256;

/// An open device node. Dropping it closes the node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) path: PathBuf,
    /// Opened with `O_NONBLOCK`, so that dequeuing never blocks.
    pub(super) file: File,
    /// [`CAPTURE`], or [`CAPTURE_MPLANE`] if the node supports only that.
    pub(super) buffer_type: u32,
}

impl Node {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let nonblocking = OFlags::NONBLOCK.bits() as i32;
        let file = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(path)?;
        let mut node = Self { path: path.to_owned(), file, buffer_type: CAPTURE };
        // Whoever uses the node reports a failure.
        if node.query().is_ok_and(|(_, caps)| !caps.has(DeviceCaps::VIDEO_CAPTURE) && caps.has(DeviceCaps::CAPTURE)) {
            node.buffer_type = CAPTURE_MPLANE;
        }
        Ok(node)
    }

    /// Queries what the device is, and the capabilities of this node (VIDIOC_QUERYCAP).
    pub(super) fn query(&self) -> io::Result<(sys::v4l2_capability, DeviceCaps)> {
        let mut raw: sys::v4l2_capability = zeroed();
        self.ioctl(vidioc::VIDIOC_QUERYCAP, &mut raw)?;
        // `device_caps` are those of this node, `capabilities` those of the whole device.
        let has_device_caps = raw.capabilities & sys::V4L2_CAP_DEVICE_CAPS != 0;
        Ok((raw, DeviceCaps(if has_device_caps { raw.device_caps } else { raw.capabilities })))
    }

    pub(super) fn is_multi_planar(&self) -> bool {
        self.buffer_type == CAPTURE_MPLANE
    }

    /// Calls `item` with 0, 1, 2, … until it returns `None`.
    pub(super) fn list<T>(&self, item: impl Fn(u32) -> Option<T>) -> Vec<T> {
        (0..LIST_LIMIT).map_while(item).collect()
    }

    /// Makes an ioctl, and repeats it if a signal interrupts it.
    pub(super) fn ioctl<T>(&self, request: vidioc::_IOC_TYPE, argument: &mut T) -> io::Result<()> {
        // Bits 16 to 29 of a request are the size of its argument (asm-generic/ioctl.h).
        if (request >> 16) & 0x3FFF != size_of::<T>() as vidioc::_IOC_TYPE {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        loop {
            // SAFETY: the descriptor stays open as long as `self` lives. The kernel accesses as many bytes at the
            // pointer as the request encodes, which was checked to be the size of `T`. All structures passed to this
            // function are plain C data, valid whatever the kernel writes. The only one with a pointer that the kernel
            // follows is `v4l2_buffer` of multi-planar capture, for which `BufferArgument` proves that it is valid.
            match unsafe { v4l2::ioctl(self.file.as_raw_fd(), request, std::ptr::from_mut(argument).cast::<c_void>()) }
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

/// Returns a zeroed structure, as ioctls require for fields that are not filled in.
pub(super) fn zeroed<T: Plain>() -> T {
    // SAFETY: `Plain` guarantees that zero bytes are a valid value.
    unsafe { mem::zeroed() }
}

/// C structures for which all-zero bytes are a valid value.
///
/// # Safety
///
/// All fields must be integers, raw pointers, or arrays, structures and unions of those.
pub(super) unsafe trait Plain {}
// SAFETY: see `linux/videodev2.h` and the generated bindings, which contain nothing else.
unsafe impl Plain for sys::v4l2_capability {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_input {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_fmtdesc {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_frmsizeenum {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_frmivalenum {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_format {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_pix_format {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_pix_format_mplane {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_streamparm {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_captureparm {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_requestbuffers {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_buffer {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_plane {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_query_ext_ctrl {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_querymenu {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_control {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_standard {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_selection {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_dv_timings {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_event {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_event_subscription {}

/// Decodes a string of the kernel, which ends at the first zero byte and need not be UTF-8.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
