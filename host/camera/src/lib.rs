//! Cameras: where frames come from, and how each is shared among all who read it.
//!
//! ```text
//! Source (emulated, V4L2) ── open ──► Capture ── pictures ──► Camera (hub) ──► Feed, Feed, Feed …
//! ```
//!
//! * [`frame`]: what flows: a [`Picture`], and the numbered [`Frame`] that is shared.
//! * [`dimensions`], [`jpeg`]: a picture's size, and which bytes may become a picture.
//! * [`source`]: the traits that every kind of camera implements, and its errors.
//! * [`emulated`], [`v4l2`]: the kinds of camera.
//! * `capture`: the thread that reads an open camera.
//! * [`hub`]: opens the camera for its first reader, hands the newest frame to all, closes it after the last.
//!
//! Nothing in here knows of WebAssembly or HTTP.

mod capture;
pub mod dimensions;
pub mod emulated;
pub mod frame;
pub mod hub;
pub mod jpeg;
pub mod source;
pub mod v4l2;

pub use dimensions::Dimensions;
pub use frame::{Frame, Moment, Picture};
pub use hub::{Camera, Cameras, Feed, State, Status};
pub use source::{Capture, Mode, Source, SourceError};
