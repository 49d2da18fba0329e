//! Cameras: where frames come from, and how all readers of a camera share them.
//!
//! ```text
//! Source (emulated, network, piped, V4L2) ── open ──► Capture ── JPEG images ──► Camera ──► Feed, Feed, Feed …
//!                                               └─ raw images ──► Encoder ──────┘
//! ```
//!
//! From the bottom up:
//!
//! * [`text`]: which characters are safe to show.
//! * [`dimensions`], [`rectangle`], [`fourcc`], [`orientation`]: the size of a picture, a part of it, the names of pixel
//!   formats, how to turn a picture.
//! * [`jpeg`]: validates JPEG images and completes them. [`raw`]: encodes raw images. [`multipart`]: reads the streams
//!   of other servers.
//! * [`pixels`]: decodes images at full or reduced size, and encodes what was changed.
//! * `canvas`: a picture to draw text on. [`frame`]: a JPEG image, and the numbered [`Frame`] that readers share.
//!   `frame_sampling`, `image_checker`: which images are checked thoroughly.
//! * [`frame_counts`], [`history`], `frame_tracker`: delivered and lost frames, in total and one by one.
//! * [`error`], [`controls`], [`stream_mode`], [`source`]: the interface of every kind of camera.
//! * `stall`: how long a stream may deliver no image. [`image_input`]: keeps the newest of the images that others
//!   produce. `rate_limit`: skips frames of a source that is faster than wanted. [`adjusted`]: any source with a limit
//!   and an orientation.
//! * [`emulated`], [`network`], [`piped`], [`v4l2`]: the kinds of camera.
//! * [`status`]: the state of a camera, and why it has no picture; `placeholder`: the picture that says so.
//! * [`memory`]: the frames of the last seconds, if the operator wants them.
//! * [`filter`]: what stands between a camera and its readers.
//! * `capture`, `encoding`, `filtering`: the threads that serve an open camera; `mailbox`: the newest value for one.
//! * [`camera`], [`cameras`], `supervisor`, [`feed`]: open a camera for its first reader, hand the newest frame to all
//!   readers, close it after the last.
//!
//! Nothing here depends on WebAssembly or serves HTTP; only [`network`] is a client of HTTP.

pub mod adjusted;
pub mod camera;
pub mod cameras;
mod canvas;
mod capture;
pub mod controls;
pub mod dimensions;
pub mod emulated;
mod encoding;
mod encoding_threads;
pub mod error;
pub mod feed;
pub mod filter;
mod filtering;
pub mod fourcc;
pub mod frame;
pub mod frame_counts;
mod frame_sampling;
mod frame_tracker;
pub mod history;
mod image_checker;
pub mod image_input;
pub mod jpeg;
mod mailbox;
pub mod memory;
pub mod multipart;
pub mod network;
pub mod orientation;
pub mod piped;
pub mod pixels;
mod placeholder;
mod rate_limit;
pub mod raw;
pub mod rectangle;
pub mod source;
mod stall;
pub mod status;
pub mod stream_mode;
mod supervisor;
mod task_mailbox;
pub mod text;
pub mod v4l2;

pub use camera::{Camera, Linger};
pub use cameras::Cameras;
pub use dimensions::Dimensions;
pub use error::SourceError;
pub use feed::{Feed, FeedChanges};
pub use fourcc::FourCc;
pub use frame::{Frame, JpegImage, Timestamp};
pub use frame_counts::{FrameCounts, LostFrames};
pub use orientation::{Orientation, Rotation};
pub use rectangle::Rectangle;
pub use source::{Capture, Source};
pub use status::{Outage, OutageCause, State, Status};
pub use stream_mode::StreamMode;
