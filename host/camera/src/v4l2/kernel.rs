//! The kernel's side of V4L2: a safe layer over the ioctls and memory mappings that capturing needs.
//!
//! It stands on the numbers, structures and raw calls of the `v4l` crate. That crate's own device and
//! stream types are not used, since they panic on what drivers and cables do (a card name that is not
//! UTF-8, an unknown colour space, an error while closing), and read old frames when the caller is slow.
//!
//! References are to the kernel's "Video for Linux API" (Documentation/userspace-api/media/v4l).
//!
//! This is the only module of the host with unsafe code.
#![allow(unsafe_code, reason = "ioctl and mmap; each block states its proof")]

use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::raw::{c_int, c_void};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use v4l::v4l_sys as sys;
use v4l::v4l2::{self, vidioc};

use crate::dimensions::Dimensions;

/// A pixel format's four-character code.
pub(crate) type FourCc = [u8; 4];

/// What a device says of itself (VIDIOC_QUERYCAP).
#[derive(Debug)]
pub(crate) struct Capability {
    /// The name for people: `HD Webcam C270`.
    pub(crate) card: String,
    /// Where it is attached: `usb-0000:00:14.0-1`.
    pub(crate) bus: String,
    /// `V4L2_CAP_*` of this very node, not of the whole device.
    flags: u32,
}

impl Capability {
    /// Whether it captures video into single-planar buffers.
    pub(crate) fn captures(&self) -> bool {
        self.flags & sys::V4L2_CAP_VIDEO_CAPTURE != 0
    }

    /// Whether it captures video into multi-planar buffers.
    pub(crate) fn captures_planes(&self) -> bool {
        self.flags & sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE != 0
    }

    /// Whether its buffers can be mapped.
    pub(crate) fn streams(&self) -> bool {
        self.flags & sys::V4L2_CAP_STREAMING != 0
    }
}

/// A format that a device offers (VIDIOC_ENUM_FMT).
#[derive(Debug)]
pub(crate) struct OfferedFormat {
    pub(crate) code: FourCc,
    /// The driver's name for it: `Motion-JPEG`.
    pub(crate) name: String,
}

/// Sizes that a device offers in a format (VIDIOC_ENUM_FRAMESIZES).
#[derive(Clone, Copy, Debug)]
pub(crate) enum OfferedSize {
    /// One size.
    One(Dimensions),
    /// All sizes in between, in some steps.
    Range(Dimensions, Dimensions),
}

/// The negotiated format (VIDIOC_S_FMT).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub(crate) code: FourCc,
    pub(crate) dimensions: Dimensions,
}

/// An open device node. Dropping it closes the node.
#[derive(Debug)]
pub(crate) struct Device {
    /// Opened with `O_NONBLOCK`, so that dequeuing never blocks.
    file: File,
}

const CAPTURE: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;
const MMAP: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;

/// Drivers end a list with EINVAL. One that never does is cut here; the longest known has some 80 entries.
const LIST_LIMIT: u32 = 256;

impl Device {
    /// Open the node at `path`.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let nonblocking = OFlags::NONBLOCK.bits() as i32;
        let file = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(path)?;
        Ok(Self { file })
    }

    /// What the device says of itself. Fails with ENOTTY for a file that is no V4L2 device.
    pub(crate) fn capability(&self) -> io::Result<Capability> {
        let mut raw: sys::v4l2_capability = zeroed();
        self.ioctl(vidioc::VIDIOC_QUERYCAP, &mut raw)?;
        let has_own = raw.capabilities & sys::V4L2_CAP_DEVICE_CAPS != 0;
        Ok(Capability {
            card: text(&raw.card),
            bus: text(&raw.bus_info),
            flags: if has_own { raw.device_caps } else { raw.capabilities },
        })
    }

    /// The formats that the device offers for capturing, in the driver's order.
    pub(crate) fn formats(&self) -> Vec<OfferedFormat> {
        self.list(|index| {
            let mut raw: sys::v4l2_fmtdesc = zeroed();
            raw.index = index;
            raw.type_ = CAPTURE;
            self.ioctl(vidioc::VIDIOC_ENUM_FMT, &mut raw).ok()?;
            Some(OfferedFormat { code: raw.pixelformat.to_le_bytes(), name: text(&raw.description) })
        })
    }

    /// The sizes that the device offers in a format, in the driver's order.
    pub(crate) fn sizes(&self, code: FourCc) -> Vec<OfferedSize> {
        self.list(|index| {
            let mut raw: sys::v4l2_frmsizeenum = zeroed();
            raw.index = index;
            raw.pixel_format = u32::from_le_bytes(code);
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

    /// The rates in frames per second that the device offers at a size; of a continuous range, its ends.
    pub(crate) fn rates(&self, code: FourCc, size: Dimensions) -> Vec<f64> {
        let rates: Vec<Vec<f64>> = self.list(|index| {
            let mut raw: sys::v4l2_frmivalenum = zeroed();
            raw.index = index;
            raw.pixel_format = u32::from_le_bytes(code);
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

    /// The format that is set now.
    pub(crate) fn format(&self) -> io::Result<Format> {
        let mut raw: sys::v4l2_format = zeroed();
        raw.type_ = CAPTURE;
        self.ioctl(vidioc::VIDIOC_G_FMT, &mut raw)?;
        Ok(format_of(&raw))
    }

    /// Ask for a format. Returns what the driver made of it, which may be another size or even format.
    /// Fails with EBUSY while another program streams.
    pub(crate) fn set_format(&self, code: FourCc, size: Dimensions) -> io::Result<Format> {
        let mut raw: sys::v4l2_format = zeroed();
        raw.type_ = CAPTURE;
        raw.fmt.pix = sys::v4l2_pix_format {
            width: size.width,
            height: size.height,
            pixelformat: u32::from_le_bytes(code),
            field: sys::v4l2_field_V4L2_FIELD_ANY,
            ..zeroed()
        };
        self.ioctl(vidioc::VIDIOC_S_FMT, &mut raw)?;
        Ok(format_of(&raw))
    }

    /// The rate in frames per second that is set now; none where the driver does not say.
    pub(crate) fn rate(&self) -> Option<f64> {
        let mut raw: sys::v4l2_streamparm = zeroed();
        raw.type_ = CAPTURE;
        self.ioctl(vidioc::VIDIOC_G_PARM, &mut raw).ok()?;
        // SAFETY: the structure for capturing, which holds u32 alone.
        rate_of(unsafe { raw.parm.capture.timeperframe })
    }

    /// Ask for a rate in frames per second. Returns what the driver made of it, as [`rate`](Self::rate).
    pub(crate) fn set_rate(&self, rate: f64) -> Option<f64> {
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

    /// Map up to `count` buffers, give all of them to the driver, and start the stream.
    /// Fails with EBUSY while another program streams.
    pub(crate) fn stream(self, count: u32) -> io::Result<Stream> {
        let mut request: sys::v4l2_requestbuffers = zeroed();
        request.count = count;
        request.type_ = CAPTURE;
        request.memory = MMAP;
        self.ioctl(vidioc::VIDIOC_REQBUFS, &mut request)?;
        let mut stream = Stream { mappings: Vec::new(), device: self };
        // The driver may grant fewer than were asked for, and more.
        for index in 0..request.count {
            let mut raw = buffer(index);
            stream.device.ioctl(vidioc::VIDIOC_QUERYBUF, &mut raw)?;
            stream.mappings.push(Mapping::new(&stream.device, &raw)?);
            stream.device.ioctl(vidioc::VIDIOC_QBUF, &mut raw)?;
        }
        if stream.mappings.is_empty() {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        let mut kind = CAPTURE as c_int;
        stream.device.ioctl(vidioc::VIDIOC_STREAMON, &mut kind)?;
        Ok(stream)
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

/// A started stream: the device and its buffers. Dropping it stops the stream and closes the device.
#[derive(Debug)]
pub(crate) struct Stream {
    // Dropped in this order: unmapped first, then closed, which stops the stream and frees the buffers.
    mappings: Vec<Mapping>,
    device: Device,
}

/// A buffer that the driver has filled and handed over; it is ours until it is given back.
///
/// Not `Clone`: who holds it has the buffer to itself, which is what makes reading its memory sound.
#[derive(Debug)]
pub(crate) struct Filled {
    index: u32,
    used: u32,
    flags: u32,
    /// The driver's count of frames; it wraps.
    pub(crate) sequence: u32,
    /// When it was captured, by `CLOCK_MONOTONIC`; none where the driver uses another clock.
    pub(crate) taken: Option<Duration>,
}

impl Filled {
    /// Whether the driver itself says that the contents are damaged.
    pub(crate) fn is_flagged(&self) -> bool {
        self.flags & sys::V4L2_BUF_FLAG_ERROR != 0
    }
}

impl Stream {
    /// Wait until a buffer is filled, the device fails, or `deadline` has passed. Returns whether there is
    /// something to dequeue, be it an error.
    pub(crate) fn wait(&self, deadline: Instant) -> io::Result<bool> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            match poll(&mut [PollFd::new(&self.device.file, PollFlags::IN)], Some(&timeout)) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Take the oldest filled buffer; none if no buffer is filled. Never blocks.
    pub(crate) fn dequeue(&self) -> io::Result<Option<Filled>> {
        let mut raw = buffer(0);
        match self.device.ioctl(vidioc::VIDIOC_DQBUF, &mut raw) {
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
            flags: raw.flags,
            sequence: raw.sequence,
            taken: seconds.map(|seconds| Duration::from_secs(seconds) + Duration::from_micros(microseconds)),
        }))
    }

    /// The bytes that the driver wrote: never more than it says, nor than the buffer holds.
    pub(crate) fn bytes<'a>(&'a self, filled: &'a Filled) -> &'a [u8] {
        let Some(mapping) = self.mappings.get(filled.index as usize) else { return &[] };
        let length = mapping.length.min(filled.used as usize);
        // SAFETY: the mapping is `mapping.length` bytes long, readable, and lives as long as `self`. The
        // driver does not write to a buffer that it has handed over, and `filled` proves that it has: there
        // is one for each dequeued buffer, and giving the buffer back takes it away.
        unsafe { std::slice::from_raw_parts(mapping.start.as_ptr().cast::<u8>(), length) }
    }

    /// Give a buffer back to the driver.
    pub(crate) fn queue(&self, filled: Filled) -> io::Result<()> {
        self.device.ioctl(vidioc::VIDIOC_QBUF, &mut buffer(filled.index))
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
    fn new(device: &Device, raw: &sys::v4l2_buffer) -> io::Result<Self> {
        /// Readable, and shared with the driver (`asm-generic/mman.h`; the same on every Linux).
        const PROT_READ: c_int = 1;
        const MAP_SHARED: c_int = 1;
        let length = raw.length as usize;
        // SAFETY: a new mapping at an address of the kernel's choice, so no memory in use is touched. The
        // offset is the one that the driver gave for a buffer of that length (VIDIOC_QUERYBUF); `m` holds an
        // offset for buffers of the kind MMAP.
        let start = unsafe {
            v4l2::mmap(std::ptr::null_mut(), length, PROT_READ, MAP_SHARED, device.file.as_raw_fd(), raw.m.offset as _)?
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

/// The argument for an ioctl about one buffer.
fn buffer(index: u32) -> sys::v4l2_buffer {
    sys::v4l2_buffer { index, type_: CAPTURE, memory: MMAP, ..zeroed() }
}

fn format_of(raw: &sys::v4l2_format) -> Format {
    // SAFETY: the structure for capturing, which the driver fills in for this type; it holds u32 alone.
    let pix = unsafe { raw.fmt.pix };
    Format { code: pix.pixelformat.to_le_bytes(), dimensions: Dimensions { width: pix.width, height: pix.height } }
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
