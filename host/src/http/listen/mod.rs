//! Where the server listens: TCP addresses and Unix sockets.

mod address;
mod listeners;
mod tcp;

pub use self::address::{ListenAddress, ParseListenAddressError};
pub use self::listeners::{BoundListener, Listeners};
pub use self::tcp::{ListenError, SocketAccess};
