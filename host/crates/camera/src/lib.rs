//! Cameras: where frames come from, and how each is shared among all who read it.
//!
//! ```text
//! Source (emulated, V4L2) ── open ──► Capture ── pictures ────────────► Camera (hub) ──► Feed, Feed, Feed …
//!                                        └──── raw images ──► Encoder ──┘
//! ```
//!
//! * [`frame`]: what flows: a [`JpegImage`], and the numbered [`Frame`] that is shared.
//! * [`dimensions`], [`fourcc`]: a picture's size, and the names of pixel formats.
//! * [`jpeg`]: which bytes may become a picture, and what cameras leave out of them.
//! * [`raw`]: pixels as sensors give them, and making pictures of them.
//! * [`source`], [`controls`], [`error`]: what every kind of camera is: what it does, what can be set, how it fails.
//! * [`emulated`], [`v4l2`]: the kinds of camera.
//! * `capture`, `encoding`: the threads that work for an open camera.
//! * [`status`]: what a camera is doing, and what it has lost; `placeholder`: the picture that says so.
//! * [`history`]: what is remembered of frames when their images are gone; `record`: who writes that down.
//! * [`hub`], [`feed`]: opens the camera for its first reader, hands the newest frame to all, closes it after the last.
//!
//! Nothing in here knows of WebAssembly or HTTP.

mod capture;
pub mod controls;
pub mod dimensions;
pub mod emulated;
mod encoding;
pub mod error;
pub mod feed;
pub mod fourcc;
pub mod frame;
pub mod history;
pub mod hub;
pub mod jpeg;
mod placeholder;
pub mod raw;
mod record;
pub mod source;
pub mod status;
pub mod v4l2;

pub use dimensions::Dimensions;
pub use error::SourceError;
pub use feed::Feed;
pub use fourcc::FourCc;
pub use frame::{Frame, JpegImage, Timestamp};
pub use hub::{Camera, Cameras, Linger};
pub use source::{Capture, Source, StreamMode};
pub use status::{State, Status};
