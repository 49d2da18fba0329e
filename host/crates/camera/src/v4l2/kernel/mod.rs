//! The kernel's side of V4L2: a safe layer over the ioctls and memory mappings that capturing needs.
//!
//! It stands on the numbers, structures and raw calls of the `v4l` crate. That crate's own device and
//! stream types are not used, since they panic on what drivers and cables do (a card name that is not
//! UTF-8, an unknown colour space, an error while closing), and read old frames when the caller is slow.
//!
//! References are to the kernel's "Video for Linux API" (Documentation/userspace-api/media/v4l).
//!
//! This folder is the only place of the host with unsafe code.
#![allow(unsafe_code, reason = "ioctl and mmap; each block states its proof")]

mod arrivals;
mod controls;
mod nodes;
mod stream;

use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::raw::c_void;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::sync::watch;
use v4l::v4l_sys as sys;
use v4l::v4l2::{self, vidioc};

use self::arrivals::Arrivals;
use super::device::{
    Capability, Device, DeviceCaps, Format, OfferedControl, OfferedFormat, OfferedSize, Stream, System,
};
use crate::dimensions::Dimensions;
use crate::error::Holder;
use crate::fourcc::FourCc;
use crate::v4l2::list::DEVICES;

/// The devices of this machine.
pub(crate) struct Kernel {
    arrivals: Arrivals,
}

impl Kernel {
    /// Watches `/dev` from now on.
    pub(crate) fn new() -> Self {
        Self { arrivals: Arrivals::watch(Path::new(DEVICES)) }
    }
}

impl System for Kernel {
    fn nodes(&self) -> Vec<PathBuf> {
        nodes::all()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Device>> {
        Ok(Box::new(Node::open(path)?))
    }

    fn arrivals(&self) -> watch::Receiver<()> {
        self.arrivals.subscribe()
    }

    fn holders(&self, path: &Path) -> Vec<Holder> {
        nodes::holders(path)
    }
}

/// An open device node. Dropping it closes the node.
#[derive(Debug)]
struct Node {
    path: PathBuf,
    /// Opened with `O_NONBLOCK`, so that dequeuing never blocks.
    file: File,
}

const CAPTURE: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;

/// Drivers end a list with EINVAL. One that never does is cut here; the longest known has some 80 entries.
const LIST_LIMIT: u32 = 256;

impl Node {
    fn open(path: &Path) -> io::Result<Self> {
        let nonblocking = OFlags::NONBLOCK.bits() as i32;
        let file = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(path)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Call `item` with 0, 1, 2, … until it returns none.
    fn list<T>(&self, item: impl Fn(u32) -> Option<T>) -> Vec<T> {
        (0..LIST_LIMIT).map_while(item).collect()
    }

    /// One ioctl, made again when a signal interrupts it.
    fn ioctl<T>(&self, request: vidioc::_IOC_TYPE, argument: &mut T) -> io::Result<()> {
        // A request's number holds the size of its argument in bits 16 to 29 (asm-generic/ioctl.h).
        if (request >> 16) & 0x3FFF != size_of::<T>() as vidioc::_IOC_TYPE {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        loop {
            // SAFETY: the descriptor is open for as long as `self` is. The kernel reads and writes as many
            // bytes at the pointer as the request's number says, which was just checked to be the size of
            // `T`. All structures passed to this function are plain C data, valid whatever the kernel writes,
            // and none of those used holds a pointer that the kernel would follow.
            match unsafe { v4l2::ioctl(self.file.as_raw_fd(), request, std::ptr::from_mut(argument).cast::<c_void>()) }
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Device for Node {
    fn capability(&self) -> io::Result<Capability> {
        let mut raw: sys::v4l2_capability = zeroed();
        self.ioctl(vidioc::VIDIOC_QUERYCAP, &mut raw)?;
        let has_own = raw.capabilities & sys::V4L2_CAP_DEVICE_CAPS != 0;
        // Of this very node, not of the whole device.
        let flags = if has_own { raw.device_caps } else { raw.capabilities };
        Ok(Capability {
            card: text(&raw.card),
            bus: text(&raw.bus_info),
            index: nodes::index(&self.path),
            caps: DeviceCaps(flags),
        })
    }

    fn has_input(&self) -> bool {
        let mut raw: sys::v4l2_input = zeroed();
        match self.ioctl(vidioc::VIDIOC_ENUMINPUT, &mut raw).map_err(|error| Errno::from_io_error(&error)) {
            // Not implemented, or a list without entries. Any other error says nothing about inputs.
            Err(Some(Errno::NOTTY | Errno::INVAL)) => false,
            _ => true,
        }
    }

    fn formats(&self) -> Vec<OfferedFormat> {
        self.list(|index| {
            let mut raw: sys::v4l2_fmtdesc = zeroed();
            raw.index = index;
            raw.type_ = CAPTURE;
            self.ioctl(vidioc::VIDIOC_ENUM_FMT, &mut raw).ok()?;
            Some(OfferedFormat { code: FourCc(raw.pixelformat.to_le_bytes()), name: text(&raw.description) })
        })
    }

    fn sizes(&self, code: FourCc) -> Vec<OfferedSize> {
        self.list(|index| {
            let mut raw: sys::v4l2_frmsizeenum = zeroed();
            raw.index = index;
            raw.pixel_format = u32::from_le_bytes(code.0);
            self.ioctl(vidioc::VIDIOC_ENUM_FRAMESIZES, &mut raw).ok()?;
            // SAFETY: a union of two structures of u32 alone, which any bytes are valid for; the type tells
            // which of the two the driver filled in.
            unsafe {
                if raw.type_ == sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE {
                    let size = raw.__bindgen_anon_1.discrete;
                    Some(OfferedSize::One(Dimensions { width: size.width, height: size.height }))
                } else {
                    let size = raw.__bindgen_anon_1.stepwise;
                    Some(OfferedSize::Range(
                        Dimensions { width: size.min_width, height: size.min_height },
                        Dimensions { width: size.max_width, height: size.max_height },
                    ))
                }
            }
        })
    }

    fn rates(&self, code: FourCc, size: Dimensions) -> Vec<f64> {
        let rates: Vec<Vec<f64>> = self.list(|index| {
            let mut raw: sys::v4l2_frmivalenum = zeroed();
            raw.index = index;
            raw.pixel_format = u32::from_le_bytes(code.0);
            raw.width = size.width;
            raw.height = size.height;
            self.ioctl(vidioc::VIDIOC_ENUM_FRAMEINTERVALS, &mut raw).ok()?;
            // SAFETY: as for the sizes: two structures of u32 alone.
            let intervals = unsafe {
                if raw.type_ == sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE {
                    vec![raw.__bindgen_anon_1.discrete]
                } else {
                    vec![raw.__bindgen_anon_1.stepwise.max, raw.__bindgen_anon_1.stepwise.min]
                }
            };
            Some(intervals.into_iter().filter_map(rate_of).collect())
        });
        rates.into_iter().flatten().collect()
    }

    fn format(&self) -> io::Result<Format> {
        let mut raw: sys::v4l2_format = zeroed();
        raw.type_ = CAPTURE;
        self.ioctl(vidioc::VIDIOC_G_FMT, &mut raw)?;
        Ok(format_of(&raw))
    }

    fn set_format(&self, code: FourCc, size: Dimensions) -> io::Result<Format> {
        let mut raw: sys::v4l2_format = zeroed();
        raw.type_ = CAPTURE;
        raw.fmt.pix = sys::v4l2_pix_format {
            width: size.width,
            height: size.height,
            pixelformat: u32::from_le_bytes(code.0),
            field: sys::v4l2_field_V4L2_FIELD_ANY,
            ..zeroed()
        };
        self.ioctl(vidioc::VIDIOC_S_FMT, &mut raw)?;
        Ok(format_of(&raw))
    }

    fn rate(&self) -> Option<f64> {
        let mut raw: sys::v4l2_streamparm = zeroed();
        raw.type_ = CAPTURE;
        self.ioctl(vidioc::VIDIOC_G_PARM, &mut raw).ok()?;
        // SAFETY: the structure for capturing, which holds u32 alone.
        rate_of(unsafe { raw.parm.capture.timeperframe })
    }

    fn set_rate(&self, rate: f64) -> Option<f64> {
        // Thousandths tell 29.97 from 30, and 7.5 from 7.
        const PRECISION: u32 = 1000;
        let mut raw: sys::v4l2_streamparm = zeroed();
        raw.type_ = CAPTURE;
        raw.parm.capture = sys::v4l2_captureparm {
            timeperframe: sys::v4l2_fract { numerator: PRECISION, denominator: (rate * f64::from(PRECISION)) as u32 },
            ..zeroed()
        };
        match self.ioctl(vidioc::VIDIOC_S_PARM, &mut raw) {
            // SAFETY: as above.
            Ok(()) => rate_of(unsafe { raw.parm.capture.timeperframe }),
            // Not every driver can set it.
            Err(_) => self.rate(),
        }
    }

    fn controls(&self) -> Vec<OfferedControl> {
        controls::all(self)
    }

    fn control(&self, id: u32) -> io::Result<i64> {
        controls::get(self, id)
    }

    fn set_control(&self, id: u32, value: i64) -> io::Result<i64> {
        controls::set(self, id, value)
    }

    fn start(self: Box<Self>, count: u32) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(stream::Started::start(*self, count)?))
    }
}

/// A structure of V4L2 with all bytes zero, as the ioctls want what is not filled in.
fn zeroed<T: Plain>() -> T {
    // SAFETY: `Plain` says so.
    unsafe { mem::zeroed() }
}

/// Structures of C for which zero bytes are a value.
///
/// # Safety
///
/// All fields are integers, raw pointers, or arrays, structures and unions of those.
unsafe trait Plain {}
// SAFETY: see `linux/videodev2.h`, and the generated bindings, which have nothing else.
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
unsafe impl Plain for sys::v4l2_streamparm {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_captureparm {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_requestbuffers {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_buffer {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_query_ext_ctrl {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_querymenu {}
// SAFETY: as above.
unsafe impl Plain for sys::v4l2_control {}

fn format_of(raw: &sys::v4l2_format) -> Format {
    // SAFETY: the structure for capturing, which the driver fills in for this type; it holds u32 alone.
    let pix = unsafe { raw.fmt.pix };
    // The default for YUV is the limited range, but for the colour space of JPEG ("Colorspaces", Table 2.14).
    let full_range = match pix.quantization {
        sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE => true,
        sys::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE => false,
        _ => pix.colorspace == sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG,
    };
    Format {
        code: FourCc(pix.pixelformat.to_le_bytes()),
        dimensions: Dimensions { width: pix.width, height: pix.height },
        stride: pix.bytesperline as usize,
        full_range,
    }
}

/// Frames per second of a time per frame; none where the driver left it empty.
fn rate_of(interval: sys::v4l2_fract) -> Option<f64> {
    (interval.numerator > 0 && interval.denominator > 0)
        .then(|| f64::from(interval.denominator) / f64::from(interval.numerator))
}

/// A text of the kernel's: ends at the first zero byte, and is whatever the device's maker wrote.
fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
