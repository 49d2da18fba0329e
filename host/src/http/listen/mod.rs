//! Listening: the addresses a server accepts connections at, and the sockets bound to them.
//!
//! `address` parses what the user typed, `tcp` and `unix` bind one socket each, and [`Listeners`] accepts connections
//! from all of them.

mod address;
mod error;
mod listeners;
mod tcp;
mod unix;

pub use self::address::{ListenAddress, ParseListenAddressError};
pub use self::error::ListenError;
pub use self::listeners::Listeners;
pub use self::unix::SocketAccess;
