//! Cameras in the network: another server's MJPEG stream, or a still image that is requested again and again.
//!
//! Other hosts of this kind are cameras as well. Then the sequence number and the time of capture of each frame, and
//! the reason of an outage, are those of the first server (`metadata`).
//!
//! * `camera`: the [`Source`](crate::Source); `capture`: the open camera.
//! * `session`: requests with redirects and credentials; `resolver`: the addresses of names; `authorization`: Basic and
//!   Digest; [`credentials`], [`address`], `options`: what the user configures.
//! * `pictures`: reads a response, a stream or a still image; `metadata`: what its headers say about a frame;
//!   `selection`: which of the pictures is the newest.
//! * [`error`]: why there is no picture.

pub mod address;
mod authorization;
mod camera;
mod capture;
pub mod credentials;
pub mod error;
mod metadata;
mod options;
mod pictures;
mod resolver;
mod selection;
mod session;

pub use address::{Address, AddressError};
pub use camera::NetworkCamera;
pub use credentials::Credentials;
pub use error::NetworkError;
pub use options::NetworkOptions;
