//! Listening: the addresses a server accepts connections at, and the sockets bound to them.
//!
//! `address` parses what the user typed, `tcp` and `unix` bind one socket each, `inherited` has those that systemd has
//! bound, [`Binder`] puts them together, and [`Listeners`] accepts connections from all of them. `own_address` is for the
//! log.

mod address;
mod binder;
mod error;
mod inherited;
mod listeners;
mod own_address;
mod tcp;
mod unix;

pub use self::address::{ListenAddress, ParseListenAddressError};
pub use self::binder::Binder;
pub use self::error::ListenError;
pub use self::inherited::InheritedSockets;
pub use self::listeners::{Listeners, SelfConnector};
pub use self::unix::SocketAccess;
