//! A conformance kit for MJPEG over HTTP: checks a server against the clients that people use.
//!
//! MJPEG over HTTP has no specification; the programs that read it decide what a server may send. The kit runs some of
//! them and reimplements the parsers of others, including their quirks and bugs. A server that passes all [`checks()`]
//! works with all of these clients.
//!
//! Every check has a time limit, so a server that hangs fails the check instead of blocking it.

pub mod browser;
pub mod checks;
mod clients;
pub mod frames;
pub mod http;
pub mod jpeg;
pub mod multipart;
pub mod program;
pub mod table;
pub mod target;

pub use checks::{Category, Check, Requirements, checks};
pub use frames::{awkward_frames, write_awkward_frames};
pub use target::Target;
