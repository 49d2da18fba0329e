//! The part of V4L2 that this module uses, as traits: [`super::kernel`] implements them with system calls, and
//! `scripted` with scripted faults for tests without a camera.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use v4l::v4l_sys as sys;

use crate::controls::MenuItem;
use crate::dimensions::Dimensions;
use crate::error::DeviceUser;
use crate::fourcc::FourCc;
use crate::raw::MAX_PLANES;
use crate::rectangle::Rectangle;

/// The directory of the device nodes.
pub(super) const DEV: &str = "/dev";

/// A machine with V4L2 devices.
pub(crate) trait System: Send + Sync {
    /// Lists the nodes `/dev/video*` by number. Most cameras have two: one for video and one for metadata.
    fn nodes(&self) -> Vec<PathBuf>;

    /// Opens the node at `path` in non-blocking mode.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Device>>;

    /// A receiver that changes when a node is created or its permissions change: a camera may have been plugged in.
    fn hotplug_events(&self) -> watch::Receiver<()>;

    /// Lists the other programs that have the node at `path` open, as far as this user may see them.
    fn users(&self, path: &Path) -> Vec<DeviceUser>;
}

/// An open device node. Dropping it closes the node.
///
/// Any number of programs may open a node, but only one can stream; the others get EBUSY.
pub(crate) trait Device: Send {
    /// Queries what the device is (VIDIOC_QUERYCAP). Fails with ENOTTY for a file that is not a V4L2 device.
    fn capabilities(&self) -> io::Result<Capabilities>;

    /// Whether the device has a video input (VIDIOC_ENUMINPUT). Cameras have one; image signal processors do not
    /// implement the call. For [`DeviceCaps::MEDIA_CONTROLLER`] nodes, the kernel answers itself.
    fn has_input(&self) -> bool;

    /// Lists the names of the video inputs by number (VIDIOC_ENUMINPUT).
    fn inputs(&self) -> Vec<String>;

    /// Selects a video input (VIDIOC_S_INPUT).
    fn select_input(&self, number: u32) -> io::Result<()>;

    /// Lists the names of the video standards of the present input by number (VIDIOC_ENUMSTD). Only analogue inputs
    /// have any.
    fn standards(&self) -> Vec<String>;

    /// Selects a video standard (VIDIOC_S_STD).
    fn select_standard(&self, number: u32) -> io::Result<()>;

    /// Detects the timings of a digital signal and sets them (VIDIOC_QUERY_DV_TIMINGS, VIDIOC_S_DV_TIMINGS). Does
    /// nothing if the input has no timings. Fails with ENOLINK without a signal, ENOLCK if it is unstable, and ERANGE
    /// if the device does not support it.
    fn adopt_timings(&self) -> io::Result<()>;

    /// Lists the capture formats in the driver's order (VIDIOC_ENUM_FMT).
    fn formats(&self) -> Vec<OfferedFormat>;

    /// Lists the frame sizes for a format in the driver's order (VIDIOC_ENUM_FRAMESIZES).
    fn sizes(&self, code: FourCc) -> Vec<OfferedSize>;

    /// Lists the frame rates at a size in frames per second (VIDIOC_ENUM_FRAMEINTERVALS), or both ends of a continuous
    /// range.
    fn frame_rates(&self, code: FourCc, size: Dimensions) -> Vec<f64>;

    /// Crops pictures to a part of what the sensor or the signal provides (VIDIOC_S_SELECTION with
    /// V4L2_SEL_TGT_CROP). The driver may choose another part. Returns `false` if the device cannot crop.
    fn set_crop(&self, area: &Rectangle) -> io::Result<bool>;

    /// Returns the part to which pictures are cropped (VIDIOC_G_SELECTION).
    fn crop(&self) -> io::Result<Rectangle>;

    /// Returns the present format (VIDIOC_G_FMT).
    fn format(&self) -> io::Result<Format>;

    /// Requests a format (VIDIOC_S_FMT). Returns the format that the driver chose, which may have another size or even
    /// another code. Fails with EBUSY while another program streams.
    fn set_format(&self, code: FourCc, size: Dimensions) -> io::Result<Format>;

    /// Returns the present frame rate in frames per second (VIDIOC_G_PARM), or `None` if the driver does not report it.
    fn frame_rate(&self) -> Option<f64>;

    /// Requests a frame rate in frames per second (VIDIOC_S_PARM). Returns the rate that the driver chose, like
    /// [`frame_rate`](Self::frame_rate).
    fn set_frame_rate(&self, rate: f64) -> Option<f64>;

    /// Lists the controls in the driver's order (VIDIOC_QUERY_EXT_CTRL), except disabled ones and those whose value is
    /// not a single number of at most 32 bits.
    fn controls(&self) -> Vec<OfferedControl>;

    /// Reads a control (VIDIOC_G_CTRL).
    fn control(&self, id: u32) -> io::Result<i64>;

    /// Sets a control (VIDIOC_S_CTRL). Returns the value that the driver accepted. Fails with EACCES for a read-only or
    /// inactive control.
    fn set_control(&self, id: u32, value: i64) -> io::Result<i64>;

    /// Maps up to `count` buffers, queues them all, and starts the stream (VIDIOC_STREAMON). Fails with EBUSY while
    /// another program streams.
    fn start(self: Box<Self>, count: u32) -> io::Result<Box<dyn Stream>>;
}

/// A running stream: the device and its buffers. Dropping it stops the stream and closes the device.
pub(crate) trait Stream: Send {
    /// Waits until a buffer is filled, the signal changes, the device fails, or `deadline` has passed. Returns whether
    /// [`dequeue`](Self::dequeue) has a result, which may be an error.
    fn wait(&self, deadline: Instant) -> io::Result<bool>;

    /// Whether the signal has changed since the last call (V4L2_EVENT_SOURCE_CHANGE). The stream is then useless. Does
    /// not block.
    fn has_signal_changed(&mut self) -> bool;

    /// Dequeues the oldest filled buffer (VIDIOC_DQBUF), or returns `None` if none is filled. Does not block.
    fn dequeue(&mut self) -> io::Result<Option<DequeuedBuffer>>;

    /// Returns the bytes that the driver wrote to each plane, at most the length of the plane. A single-planar buffer
    /// has one plane; the others are empty.
    fn planes<'a>(&'a self, buffer: &'a DequeuedBuffer) -> [&'a [u8]; MAX_PLANES];

    /// Returns a buffer to the driver (VIDIOC_QBUF).
    fn queue(&mut self, buffer: DequeuedBuffer) -> io::Result<()>;
}

/// What a device says about itself.
#[derive(Clone, Debug)]
pub(crate) struct Capabilities {
    /// The name for people: `HD Webcam C270`.
    pub(crate) card: String,
    /// Where the device is attached: `usb-0000:00:14.0-1`.
    pub(crate) bus: String,
    /// The number of this node among the nodes of the device, if known.
    pub(crate) index: Option<u32>,
    /// The capabilities of this node.
    pub(crate) caps: DeviceCaps,
}

/// The capabilities of a node: `device_caps` of VIDIOC_QUERYCAP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct DeviceCaps(pub(crate) u32);

impl DeviceCaps {
    /// Captures video into single-planar buffers.
    pub(crate) const VIDEO_CAPTURE: u32 = sys::V4L2_CAP_VIDEO_CAPTURE;
    /// Captures video into multi-planar buffers.
    pub(crate) const VIDEO_CAPTURE_MPLANE: u32 = sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE;
    /// Captures video.
    pub(crate) const CAPTURE: u32 = Self::VIDEO_CAPTURE | Self::VIDEO_CAPTURE_MPLANE;
    /// Converts images from memory to memory.
    pub(crate) const MEM_TO_MEM: u32 = sys::V4L2_CAP_VIDEO_M2M | sys::V4L2_CAP_VIDEO_M2M_MPLANE;
    /// Outputs video.
    pub(crate) const VIDEO_OUTPUT: u32 =
        sys::V4L2_CAP_VIDEO_OUTPUT | sys::V4L2_CAP_VIDEO_OUTPUT_MPLANE | sys::V4L2_CAP_VIDEO_OUTPUT_OVERLAY;
    /// Captures or outputs metadata.
    pub(crate) const METADATA: u32 = sys::V4L2_CAP_META_CAPTURE | sys::V4L2_CAP_META_OUTPUT;
    /// Supports streaming I/O, such as memory-mapped buffers.
    pub(crate) const STREAMING: u32 = sys::V4L2_CAP_STREAMING;
    /// Is part of a pipeline that must be set up through the media controller before it can stream.
    pub(crate) const MEDIA_CONTROLLER: u32 = sys::V4L2_CAP_IO_MC;

    /// Whether any of these flags is set.
    pub(crate) fn has(self, flags: u32) -> bool {
        self.0 & flags != 0
    }
}

/// A format that a device offers.
#[derive(Clone, Debug)]
pub(crate) struct OfferedFormat {
    pub(crate) code: FourCc,
    /// The driver's name for it: `Motion-JPEG`.
    pub(crate) name: String,
}

/// Frame sizes that a device offers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OfferedSize {
    /// A single size.
    Discrete(Dimensions),
    /// A range of sizes, from the smallest to the largest.
    Stepwise(Dimensions, Dimensions),
}

/// A negotiated format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub(crate) code: FourCc,
    pub(crate) dimensions: Dimensions,
    /// For raw formats, the bytes from one row to the next in each plane (`bytesperline`), or 0 if the driver does not
    /// report it. A single-planar buffer has one plane.
    pub(crate) strides: [usize; MAX_PLANES],
    /// Whether luma uses 0 to 255 instead of 16 to 235 (`quantization`).
    pub(crate) full_range: bool,
}

/// A control that a device offers.
#[derive(Clone, Debug)]
pub(crate) struct OfferedControl {
    pub(crate) id: u32,
    /// The driver's name for it.
    pub(crate) label: String,
    pub(crate) control_type: ControlType,
    pub(crate) minimum: i64,
    pub(crate) maximum: i64,
    pub(crate) step: u64,
    pub(crate) default: i64,
    pub(crate) read_only: bool,
    pub(crate) inactive: bool,
    /// Setting the control triggers an action and stores no value: a button, or a relative movement.
    pub(crate) momentary: bool,
}

/// The types of control whose value is a single number.
#[derive(Clone, Debug)]
pub(crate) enum ControlType {
    Integer,
    Boolean,
    Menu(Vec<MenuItem>),
    Button,
}

/// A filled buffer that belongs to this process until it is queued again.
///
/// Not `Clone`, and created only by dequeuing: whoever holds it owns the buffer exclusively, so reading its memory is
/// sound.
#[derive(Debug)]
pub(crate) struct DequeuedBuffer {
    pub(super) index: u32,
    /// The bytes of each plane that the driver claims to have written (`data_offset` to `bytesused`). May exceed the
    /// plane.
    pub(super) payloads: [Range<usize>; MAX_PLANES],
    /// Whether the driver reports damaged contents (`V4L2_BUF_FLAG_ERROR`).
    pub(super) is_flagged: bool,
    /// The driver's frame count, which wraps.
    pub(super) sequence: u32,
    /// When the frame was captured, by `CLOCK_MONOTONIC`. `None` if the driver uses another clock.
    pub(super) timestamp: Option<Duration>,
}
