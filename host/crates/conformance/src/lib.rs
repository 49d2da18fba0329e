//! Clients of MJPEG over HTTP, and what each of them needs of a server.
//!
//! There is no specification of MJPEG over HTTP. What a server may send is decided by the programs that read it,
//! and these are they: some of them are run, others are written again here, with the habits and the faults of
//! the originals. A server that satisfies [`checks()`] can be read by all of them.
//!
//! Every check ends by itself: a server that hangs is a failure and never a hang.

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

pub use checks::{Category, Check, Needs, checks};
pub use frames::{awkward_frames, write_awkward_frames};
pub use target::Target;
