//! What the rest of this module needs of V4L2, as traits: so that everything that devices do wrong can be played by a
//! script (`scripted`), for tests without a camera. [`super::kernel`] is the real one.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use v4l::v4l_sys as sys;

use crate::controls::MenuItem;
use crate::dimensions::Dimensions;
use crate::error::Holder;
use crate::fourcc::FourCc;

/// A machine with V4L2 devices.
pub(crate) trait System: Send + Sync {
    /// The paths `/dev/video*`, in the order of their numbers. Most cameras have two: one for video, and one for
    /// metadata.
    fn nodes(&self) -> Vec<PathBuf>;

    /// Open the node at `path`, not blocking.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Device>>;

    /// Changes when a node was made, or its permissions were set, and so a camera may have been plugged in.
    fn arrivals(&self) -> watch::Receiver<()>;

    /// The other programs that have the node at `path` open, as far as this user may see them.
    fn holders(&self, path: &Path) -> Vec<Holder>;
}

/// An open device node. Dropping it closes the node.
///
/// Any number of programs may have a node open. One of them streams; the others get EBUSY when they try.
pub(crate) trait Device: Send {
    /// What the device says of itself (VIDIOC_QUERYCAP). Fails with ENOTTY for a file that is no V4L2 device.
    fn capability(&self) -> io::Result<Capability>;

    /// Whether the device has a video input (VIDIOC_ENUMINPUT). Every camera has one; image signal processors do not
    /// answer. The kernel itself answers for nodes that are [`DeviceCaps::MEDIA_CONTROLLER`].
    fn has_input(&self) -> bool;

    /// The formats that the device offers for capturing, in the driver's order (VIDIOC_ENUM_FMT).
    fn formats(&self) -> Vec<OfferedFormat>;

    /// The sizes that the device offers in a format, in the driver's order (VIDIOC_ENUM_FRAMESIZES).
    fn sizes(&self, code: FourCc) -> Vec<OfferedSize>;

    /// The rates in frames per second that the device offers at a size (VIDIOC_ENUM_FRAMEINTERVALS); of a
    /// continuous range, its ends.
    fn rates(&self, code: FourCc, size: Dimensions) -> Vec<f64>;

    /// The format that is set now (VIDIOC_G_FMT).
    fn format(&self) -> io::Result<Format>;

    /// Ask for a format (VIDIOC_S_FMT). Returns what the driver made of it, which may be another size or even format.
    /// Fails with EBUSY while another program streams.
    fn set_format(&self, code: FourCc, size: Dimensions) -> io::Result<Format>;

    /// The rate in frames per second that is set now (VIDIOC_G_PARM); none where the driver does not say.
    fn rate(&self) -> Option<f64>;

    /// Ask for a rate in frames per second (VIDIOC_S_PARM). Returns what the driver made of it, as [`rate`](Self::rate).
    fn set_rate(&self, rate: f64) -> Option<f64>;

    /// What can be set, in the driver's order (VIDIOC_QUERY_EXT_CTRL), without what is disabled, and without what is
    /// not one number (texts, arrays, 64 bits).
    fn controls(&self) -> Vec<OfferedControl>;

    /// What a control is set to (VIDIOC_G_CTRL).
    fn control(&self, id: u32) -> io::Result<i64>;

    /// Set a control (VIDIOC_S_CTRL). Returns what the driver made of the value. Fails with EACCES for one that is
    /// inactive, or can only be read.
    fn set_control(&self, id: u32, value: i64) -> io::Result<i64>;

    /// Map up to `count` buffers, give all of them to the driver, and start the stream (VIDIOC_STREAMON).
    /// Fails with EBUSY while another program streams.
    fn start(self: Box<Self>, count: u32) -> io::Result<Box<dyn Stream>>;
}

/// A started stream: the device and its buffers. Dropping it stops the stream and closes the device.
pub(crate) trait Stream: Send {
    /// Wait until a buffer is filled, the device fails, or `deadline` has passed. Returns whether there is
    /// something to dequeue, be it an error.
    fn wait(&self, deadline: Instant) -> io::Result<bool>;

    /// Take the oldest filled buffer (VIDIOC_DQBUF); none if no buffer is filled. Never blocks.
    fn dequeue(&mut self) -> io::Result<Option<Filled>>;

    /// The bytes that the driver wrote: never more than it says, nor than the buffer holds.
    fn bytes<'a>(&'a self, filled: &'a Filled) -> &'a [u8];

    /// Give a buffer back to the driver (VIDIOC_QBUF).
    fn queue(&mut self, filled: Filled) -> io::Result<()>;
}

/// What a device says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Capability {
    /// The name for people: `HD Webcam C270`.
    pub(crate) card: String,
    /// Where it is attached: `usb-0000:00:14.0-1`.
    pub(crate) bus: String,
    /// The number of this node among those of the device; none where that is not known.
    pub(crate) index: Option<u32>,
    /// What this very node can do.
    pub(crate) caps: DeviceCaps,
}

/// What a node can do: the `device_caps` of VIDIOC_QUERYCAP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct DeviceCaps(pub(crate) u32);

impl DeviceCaps {
    /// It captures video into single-planar buffers.
    pub(crate) const VIDEO_CAPTURE: u32 = sys::V4L2_CAP_VIDEO_CAPTURE;
    /// It captures video into multi-planar buffers.
    pub(crate) const VIDEO_CAPTURE_MPLANE: u32 = sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE;
    /// It converts images.
    pub(crate) const MEM_TO_MEM: u32 = sys::V4L2_CAP_VIDEO_M2M | sys::V4L2_CAP_VIDEO_M2M_MPLANE;
    /// It takes video, to show it.
    pub(crate) const VIDEO_OUTPUT: u32 =
        sys::V4L2_CAP_VIDEO_OUTPUT | sys::V4L2_CAP_VIDEO_OUTPUT_MPLANE | sys::V4L2_CAP_VIDEO_OUTPUT_OVERLAY;
    /// It captures data about images, or takes them.
    pub(crate) const METADATA: u32 = sys::V4L2_CAP_META_CAPTURE | sys::V4L2_CAP_META_OUTPUT;
    /// Its buffers can be mapped.
    pub(crate) const STREAMING: u32 = sys::V4L2_CAP_STREAMING;
    /// It is one end of a pipeline that must be set up by the media controller before it can stream.
    pub(crate) const MEDIA_CONTROLLER: u32 = sys::V4L2_CAP_IO_MC;

    /// Whether it has any of these flags.
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

/// Sizes that a device offers in a format.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OfferedSize {
    /// One size.
    One(Dimensions),
    /// All sizes in between, in some steps.
    Range(Dimensions, Dimensions),
}

/// The negotiated format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub(crate) code: FourCc,
    pub(crate) dimensions: Dimensions,
    /// Bytes from one row to the next, of raw formats; 0 where the driver does not say.
    pub(crate) stride: usize,
    /// Whether the luma of YUV formats uses all of 0 to 255, and not 16 to 235.
    pub(crate) full_range: bool,
}

/// A control that a device offers.
#[derive(Clone, Debug)]
pub(crate) struct OfferedControl {
    pub(crate) id: u32,
    /// Its name for people.
    pub(crate) label: String,
    pub(crate) kind: OfferedKind,
    pub(crate) minimum: i64,
    pub(crate) maximum: i64,
    pub(crate) step: u64,
    pub(crate) default: i64,
    pub(crate) read_only: bool,
    pub(crate) inactive: bool,
    /// Setting it does something, and leaves no value behind: a button, or a step from where it is.
    pub(crate) momentary: bool,
}

/// The kinds of control that are one number.
#[derive(Clone, Debug)]
pub(crate) enum OfferedKind {
    Integer,
    Boolean,
    Menu(Vec<MenuItem>),
    Button,
}

/// A buffer that the driver has filled and handed over; it is ours until it is given back.
///
/// Not `Clone`, and made by dequeuing alone: who holds it has the buffer to itself, which is what makes reading its
/// memory sound.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(super) index: u32,
    /// How many bytes the driver says it wrote (`bytesused`).
    pub(super) used: u32,
    /// The driver itself says that the contents are damaged (V4L2_BUF_FLAG_ERROR).
    pub(super) flagged: bool,
    /// The driver's count of frames; it wraps.
    pub(super) sequence: u32,
    /// When it was captured, by `CLOCK_MONOTONIC`; none where the driver uses another clock.
    pub(super) timestamp: Option<Duration>,
}
